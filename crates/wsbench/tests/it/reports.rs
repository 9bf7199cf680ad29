//! What comes out: JSON whose schema is in the repository, clean standard output, CSV,
//! exit codes.

use std::fs;
use std::path::Path;

use anyhow::Result;
use wsbench::sink::Sink;

use crate::support::{each, report, wsbench};

fn small(target: &str) -> Vec<String> {
    let line = format!(
        "messaging --target ws://{target}/ --adapter echo --conns 10 --rate 200 --ramp 100ms \
         --duration 1s --warmup 100ms --no-ceiling --late-after 1m"
    );
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_schema_in_the_repository_is_fresh() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("report.schema.json");
    let fresh = wsbench::report::json_schema();
    if std::env::var_os("PETREL_UPDATE").is_some() {
        fs::write(&path, &fresh)?;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == fresh, "{} is stale; run the test with PETREL_UPDATE=1", path.display());
    Ok(())
}

#[test]
fn standard_output_is_the_report_and_nothing_else() -> Result<()> {
    let sink = Sink::start()?;
    let arguments = small(&sink.address.to_string());
    let forms = [("json", "{\n"), ("csv", "metric,value\n"), ("text", "=====")];
    each(forms, |(output, begins)| {
        let run = wsbench(&[&arguments[..], &["--output".to_owned(), output.to_owned()]].concat())?;
        assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
        let stdout = String::from_utf8(run.stdout)?;
        assert!(stdout.starts_with(begins), "{stdout}");
        match output {
            "json" => drop(serde_json::from_str::<serde_json::Value>(&stdout)?),
            "csv" => assert!(stdout.contains("\ndeliveries.lost,0\n"), "{stdout}"),
            _ => {
                let order = [
                    "Attempted:",
                    "Established:",
                    "Failed:",
                    "Success rate:",
                    "Dropped:",
                    "Final:",
                    "Min:",
                    "Max:",
                    "Avg:",
                    "P50:",
                    "P90:",
                    "P95:",
                    "P99:",
                    "StdDev:",
                    "Pings sent:",
                    "Pongs received:",
                    "Pong rate:",
                    "Run time:",
                ];
                let places: Vec<_> = order.iter().map(|label| stdout.find(label)).collect();
                assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{stdout}");
            }
        }
        Ok(())
    })?;
    Ok(())
}

#[test]
fn the_chinese_report_has_the_guides_words() -> Result<()> {
    let sink = Sink::start()?;
    let arguments = [small(&sink.address.to_string()), vec!["--lang".to_owned(), "zh".to_owned()]];
    let stdout = String::from_utf8(wsbench(&arguments.concat())?.stdout)?;
    for words in [
        "==================== 压测结果 ====================",
        "--- 连接统计 ---",
        "尝试连接数:",
        "连接成功率:",
        "--- 连接延迟 (ms) ---",
        "--- 心跳统计 ---",
        "Pong 响应率:",
        "--- 运行时间:",
    ] {
        assert!(stdout.contains(words), "{words} is missing in {stdout}");
    }
    Ok(())
}

#[test]
fn results_are_kept_in_a_folder_of_the_run() -> Result<()> {
    let sink = Sink::start()?;
    let folder = tempfile::tempdir()?;
    let out = ["--out-dir".to_owned(), folder.path().display().to_string()];
    assert!(wsbench(&[&small(&sink.address.to_string())[..], &out].concat())?.status.success());
    let run = fs::read_dir(folder.path())?.next().expect("a folder")?.path();
    for name in ["report.txt", "report.json", "report.csv", "seconds.csv", "server.csv"] {
        assert!(!fs::read_to_string(run.join(name))?.is_empty(), "{name}");
    }
    let seconds = fs::read_to_string(run.join("seconds.csv"))?;
    assert!(seconds.lines().count() >= 2, "{seconds}");
    Ok(())
}

#[test]
fn exit_codes_say_what_happened() -> Result<()> {
    let sink = Sink::start()?;
    let target = sink.address.to_string();
    let code = |more: &[&str]| -> Result<Option<i32>> {
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        Ok(wsbench(&[&small(&target)[..], &more].concat())?.status.code())
    };
    let wanted = [
        (["--threshold", "e2e.p99<10s,lost<=0"], 0),
        (["--threshold", "e2e.p99<1us"], 4),
        (["--threshold", "nonsense<1"], 2),
        (["--payload-size", "10"], 2),
    ];
    for (options, wanted, code) in each(wanted, |(more, wanted)| Ok((more, wanted, code(&more)?)))?
    {
        assert_eq!(code, Some(wanted), "{options:?}");
    }
    let nobody = small("127.0.0.1:1");
    let nobody = [&nobody[..], &["--retry".to_owned(), "0".to_owned()]].concat();
    assert_eq!(wsbench(&nobody)?.status.code(), Some(3));
    let group = ["group-fanout", "--adapter", "echo", "--target", "ws://127.0.0.1:1/"];
    let refused = wsbench(&group)?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr)?.contains("groups"));
    Ok(())
}

#[test]
fn workers_as_processes_count_like_one() -> Result<()> {
    let sink = Sink::start()?;
    let target = format!("ws://{}/", sink.address);
    let run = |workers: &str| {
        report(&[
            "messaging",
            "--target",
            &target,
            "--adapter",
            "echo",
            "--conns",
            "30",
            "--rate",
            "600",
            "--ramp",
            "100ms",
            "--duration",
            "2s",
            "--warmup",
            "0s",
            "--workers",
            workers,
        ])
    };
    for report in each(["1", "3"], run)? {
        assert_eq!(report.counters.connects_ok, 30);
        assert_eq!(report.deliveries.delivered, report.deliveries.sent);
        assert!((1100..=1200).contains(&report.deliveries.sent), "{}", report.deliveries.sent);
    }
    Ok(())
}

#[test]
fn every_scenario_explains_itself() -> Result<()> {
    let list = String::from_utf8(wsbench(&["scenarios"])?.stdout)?;
    for scenario in wsbench::scenario::all() {
        assert!(list.contains(scenario.name()));
        let help = String::from_utf8(wsbench(&["help", scenario.name()])?.stdout)?;
        for title in ["What it does", "What it measures", "What it requires", "Example"] {
            assert!(help.contains(title), "{help}");
        }
    }
    assert_eq!(wsbench(&["help", "nothing"])?.status.code(), Some(2));
    Ok(())
}
