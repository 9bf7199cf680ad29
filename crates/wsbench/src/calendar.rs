//! Dates, as reports and folders have them. All are UTC, so that they sort and compare
//! wherever they were made.

/// A moment as people write it, by its parts.
struct Moment {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

/// The civil calendar from days, after Howard Hinnant's "chrono-Compatible Low-Level Date
/// Algorithms".
fn moment(ms: u64) -> Moment {
    let seconds = ms / 1000;
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    Moment {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted + 2) / 5 + 1,
        hour: seconds / 3600 % 24,
        minute: seconds / 60 % 60,
        second: seconds % 60,
    }
}

/// `YYYYMMDD_HHMMSS`, for names of folders, from milliseconds since the Unix epoch.
pub fn folder_name(ms: u64) -> String {
    let Moment { year, month, day, hour, minute, second } = moment(ms);
    format!("{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}")
}

/// `YYYY-MM-DD HH:MM:SS UTC`, for people.
pub fn in_words(ms: u64) -> String {
    let Moment { year, month, day, hour, minute, second } = moment(ms);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// `YYYY-MM-DDTHH:MM:SS`, as JUnit's form wants it.
pub fn iso_8601(ms: u64) -> String {
    let Moment { year, month, day, hour, minute, second } = moment(ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(folder_name(0), "19700101_000000");
        assert_eq!(folder_name(1_709_210_096_000), "20240229_123456");
        assert_eq!(folder_name(1_800_000_000_000), "20270115_080000");
        assert_eq!(in_words(1_709_210_096_000), "2024-02-29 12:34:56 UTC");
        assert_eq!(iso_8601(1_709_210_096_000), "2024-02-29T12:34:56");
    }
}
