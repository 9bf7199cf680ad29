//! The allocator: jemalloc, whose heap can be sampled at run time.
//!
//! It was chosen for that; what it costs and saves is measured in
//! docs/decisions/0006-allocator.md. Sampling is compiled in and off: see
//! `/debug/pprof/heap` of the admin listener.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What jemalloc reads at its start, as its manual has it (jemalloc(3), `malloc_conf`):
/// that it can sample, once every 2^19 bytes in the mean, and that it does not begin to.
///
/// jemalloc declares `const char *_rjem_malloc_conf` and reads a C string there. A
/// reference to an array is one pointer, to bytes that live for ever and end with nought;
/// nobody else defines the name, or the linker would refuse.
#[expect(unsafe_code, reason = "a symbol that a C library looks for has to have its name")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static CONFIGURATION: &[u8; 46] = b"prof:true,prof_active:false,lg_prof_sample:19\0";
