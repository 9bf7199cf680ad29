//! `/debug/pprof`: profiles in the format of pprof, gzipped, as `go tool pprof` fetches
//! them (<https://github.com/google/pprof/blob/main/proto/profile.proto>).
//!
//! The CPU is sampled by a timer signal, only while somebody asks for a profile. The
//! heap is sampled by jemalloc, in the mean once every 512 KiB that are allocated, only
//! while that is switched on: for the time of one request, or until it is switched off.

use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use pprof::ProfilerGuardBuilder;
use pprof::protos::Message;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::AdminListener;

/// Samples of each busy thread a second. Not 100, so as not to march in step with timers.
const SAMPLES_PER_SECOND: i32 = 99;

/// How long a CPU profile takes, if nobody says.
const SECONDS: u64 = 30;

/// The longest profile that can be asked for.
const SECONDS_MAX: u64 = 600;

/// There is one timer and one heap: profiles are made one at a time.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

#[derive(Deserialize)]
struct Parameters {
    seconds: Option<u64>,
}

/// Why there is no profile.
enum NoProfile {
    Busy,
    TooLong,
    HeapOff,
    NoHeap,
    Failed(String),
}

pub(super) fn routes() -> Router<AdminListener> {
    Router::new()
        .route("/debug/pprof/profile", get(cpu))
        .route("/debug/pprof/heap", get(heap))
        .route("/debug/pprof/heap-sampling", get(sampling).put(switch_sampling))
}

async fn cpu(Query(parameters): Query<Parameters>) -> Result<Response, NoProfile> {
    let time = checked(parameters.seconds.unwrap_or(SECONDS))?;
    let _permit = ONE_AT_A_TIME.try_acquire().map_err(|_| NoProfile::Busy)?;
    let failed = |error: pprof::Error| NoProfile::Failed(error.to_string());
    // A signal that lands in the unwinder's own libraries could find them in any state.
    let guard = ProfilerGuardBuilder::default()
        .frequency(SAMPLES_PER_SECOND)
        .blocklist(&["libc", "libgcc", "pthread", "vdso"])
        .build()
        .map_err(failed)?;
    sleep(time).await;
    let made = spawn_blocking(move || {
        let report = guard.report().build()?;
        drop(guard);
        report.pprof()
    });
    let profile = made.await.expect("making a profile doesn't panic").map_err(failed)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let written = gzip.write_all(&profile.encode_to_vec()).and_then(|()| gzip.finish());
    let bytes = written.map_err(|error| NoProfile::Failed(error.to_string()))?;
    Ok(answer("profile", bytes))
}

async fn heap(Query(parameters): Query<Parameters>) -> Result<Response, NoProfile> {
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or(NoProfile::NoHeap)?;
    let failed = |error: String| NoProfile::Failed(error);
    let is_on = control.lock().await.activated();
    if let Some(seconds) = parameters.seconds {
        let time = checked(seconds)?;
        let _permit = ONE_AT_A_TIME.try_acquire().map_err(|_| NoProfile::Busy)?;
        let _sampling = (!is_on).then(Sampling::begin).transpose().map_err(failed)?;
        sleep(time).await;
        return dump().await;
    }
    if is_on { dump().await } else { Err(NoProfile::HeapOff) }
}

async fn dump() -> Result<Response, NoProfile> {
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or(NoProfile::NoHeap)?;
    let mut control = control.clone().lock_owned().await;
    let made = spawn_blocking(move || control.dump_pprof());
    let bytes = made.await.expect("making a profile doesn't panic");
    bytes
        .map(|bytes| answer("heap", bytes))
        .map_err(|error| NoProfile::Failed(format!("{error:#}")))
}

/// Samples the heap while it lives, also if whoever asked goes away.
struct Sampling;

impl Sampling {
    fn begin() -> Result<Self, String> {
        switch(true)?;
        Ok(Self)
    }
}

impl Drop for Sampling {
    fn drop(&mut self) {
        if let Err(error) = switch(false) {
            tracing::warn!(error, "the heap is still sampled");
        }
    }
}

fn switch(on: bool) -> Result<(), String> {
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or("the allocator can't sample")?;
    let mut control = control.try_lock().map_err(|_| "a heap profile is being made".to_owned())?;
    let switched = if on { control.activate() } else { control.deactivate() };
    switched.map_err(|error| error.to_string())
}

async fn sampling() -> Result<&'static str, NoProfile> {
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or(NoProfile::NoHeap)?;
    Ok(if control.lock().await.activated() { "on\n" } else { "off\n" })
}

async fn switch_sampling(body: String) -> Result<Response, NoProfile> {
    let on = match body.trim() {
        "on" => true,
        "off" => false,
        _ => return Ok((StatusCode::BAD_REQUEST, "send on or off\n").into_response()),
    };
    switch(on).map_err(NoProfile::Failed)?;
    tracing::warn!(on, "sampling of the heap was switched");
    Ok(format!("{}\n", body.trim()).into_response())
}

fn checked(seconds: u64) -> Result<Duration, NoProfile> {
    match seconds {
        1..=SECONDS_MAX => Ok(Duration::from_secs(seconds)),
        _ => Err(NoProfile::TooLong),
    }
}

fn answer(name: &str, gzipped: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"petrel-{name}.pb.gz\"");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, gzipped).into_response()
}

impl IntoResponse for NoProfile {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Busy => {
                (StatusCode::CONFLICT, "another profile is being made; try again later".to_owned())
            }
            Self::TooLong => {
                (StatusCode::BAD_REQUEST, format!("seconds is a number from 1 to {SECONDS_MAX}"))
            }
            Self::HeapOff => (
                StatusCode::CONFLICT,
                "the heap is not sampled. Ask for /debug/pprof/heap?seconds=30 to sample it for so \
                 long, or switch sampling on: curl -X PUT --data on \
                 ADDRESS/debug/pprof/heap-sampling"
                    .to_owned(),
            ),
            Self::NoHeap => (
                StatusCode::NOT_IMPLEMENTED,
                "this build's allocator can't be sampled".to_owned(),
            ),
            Self::Failed(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
        };
        (status, format!("{message}\n")).into_response()
    }
}
