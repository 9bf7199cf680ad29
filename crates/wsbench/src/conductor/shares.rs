//! How a run is shared out among workers.

use crate::machine;
use crate::plan::Plan;

/// How a run is shared out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The first connection and the number of connections of each worker.
    pub shares: Vec<(u32, u32)>,
    /// The workers are processes.
    pub processes: bool,
}

/// Shares connections out: groups that talk to each other stay together, and no process
/// gets more than it has descriptors for.
pub fn share_out(plan: &Plan, unit: u32, descriptors: u64, cores: usize) -> Result<Shares, String> {
    let capacity = descriptors.saturating_sub(machine::DESCRIPTORS_RESERVED);
    let capacity = u32::try_from(capacity).unwrap_or(u32::MAX) / unit * unit;
    if capacity == 0 {
        let most = descriptors.saturating_sub(machine::DESCRIPTORS_RESERVED);
        let needed = u64::from(unit) + machine::DESCRIPTORS_RESERVED;
        return Err(format!(
            "{unit} connections belong together and must fit into one worker process, but a \
             process may open {descriptors} files here, {most} of them connections\n  Make the \
             groups smaller (--group-size {most}), or raise the hard limit of open files to \
             {needed} (ulimit -Hn {needed} as root, LimitNOFILE= in a service, or \
             /etc/security/limits.conf)."
        ));
    }
    let units = plan.conns / unit;
    let processes = plan.conns > capacity;
    let least = plan.conns.div_ceil(capacity);
    // Half of the cores: the server may be here too, and one loop drives a core's worth.
    let wanted = plan.workers.unwrap_or((cores as u32 / 2).clamp(1, 8));
    let count = wanted.max(least).min(units);
    let (each, rest) = (units / count, units % count);
    let mut first = 0;
    let shares = (0..count)
        .map(|index| {
            let share = (each + u32::from(index < rest)) * unit;
            first += share;
            (first - share, share)
        })
        .collect();
    Ok(Shares { shares, processes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn plan(conns: u32, workers: Option<u32>) -> Plan {
        let settings = Settings {
            conns: Some(conns),
            workers,
            adapter: Some(crate::adapter::AdapterKind::Echo),
            ..Settings::default()
        };
        Plan::resolve(None, settings).unwrap()
    }

    #[test]
    fn shares_cover_all_connections_and_keep_units_together() {
        for (conns, workers, unit, descriptors, cores) in [
            (1000, None, 2, 20_000, 2),
            (40_000, None, 2, 20_000, 2),
            (18_000, None, 1, 20_000, 2),
            (7 * 6, Some(4), 6, 1000, 2),
            (10, Some(100), 2, 1000, 8),
        ] {
            let shares = share_out(&plan(conns, workers), unit, descriptors, cores).unwrap();
            let mut next = 0;
            for (first, count) in &shares.shares {
                assert_eq!(*first, next);
                assert!(*count > 0 && count.is_multiple_of(unit));
                assert!(u64::from(*count) <= descriptors - machine::DESCRIPTORS_RESERVED);
                next += count;
            }
            assert_eq!(next, conns);
        }
        assert!(!share_out(&plan(18_000, None), 1, 20_000, 2).unwrap().processes);
        let shares = share_out(&plan(40_000, None), 1, 20_000, 2).unwrap();
        assert!(shares.processes && shares.shares.len() == 3);
        let refused = share_out(&plan(1000, None), 500, 200, 2).unwrap_err();
        assert!(refused.contains("--group-size 136") && refused.contains("564"), "{refused}");
    }
}
