//! HTTP routes for people and programs.
