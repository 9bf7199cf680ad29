//! `--limit NAME=NUMBER`: bounds other than the default ones.

use petrel_types::OperatingLimits;
use serde_json::{Map, Value};

/// Reads one.
pub(crate) fn parse(text: &str) -> Result<(String, u32), String> {
    let (name, number) = text.split_once('=').ok_or("write it as NAME=NUMBER")?;
    let number = number.parse().map_err(|_| format!("{number:?} is not a whole number"))?;
    Ok((name.to_owned(), number))
}

/// The bounds, but for those that are given.
pub(crate) fn with(given: &[(String, u32)]) -> Result<OperatingLimits, String> {
    let given: Map<_, _> =
        given.iter().map(|(name, number)| (name.clone(), Value::from(*number))).collect();
    serde_json::from_value(Value::Object(given)).map_err(|error| format!("--limit: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_changed_by_its_name_and_others_stay() {
        let given = parse("head_members=7").unwrap();
        let limits = with(&[given]).unwrap();
        assert_eq!(limits, OperatingLimits { head_members: 7, ..OperatingLimits::default() });
    }

    #[test]
    fn slips_are_told() {
        assert!(parse("head_members").unwrap_err().contains("NAME=NUMBER"));
        assert!(parse("head_members=many").unwrap_err().contains("whole number"));
        let error = with(&[("head_member".to_owned(), 1)]).unwrap_err();
        assert!(error.contains("head_members"), "it names what there is: {error}");
    }
}
