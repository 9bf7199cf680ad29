//! Configuration, assembly, start and drain of one node.
