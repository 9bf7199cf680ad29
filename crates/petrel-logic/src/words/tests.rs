//! The filter, word by word.

use petrel_log::{Content, Destination, SendRequest};
use petrel_types::ClientMessageId;
use proptest::prelude::*;

use super::*;

fn filter(words: &[(&str, WordMode)]) -> (Arc<WordFilter>, FlaggedQueue) {
    let (filter, queue) = WordFilter::new(Metrics::default());
    let words = words.iter().map(|(word, mode)| ((*word).to_owned(), *mode));
    filter.replace(Compiled::new(words).unwrap());
    (filter, queue)
}

fn refuses(word: &str, text: &str) -> bool {
    filter(&[(word, WordMode::Refuse)]).0.look(text).refused.is_some()
}

#[test]
fn a_word_is_met_in_any_case_and_width_and_with_what_can_not_be_seen() {
    for text in
        ["spam", "SPAM!", "(Spam)", "ｓｐａｍ", "ＳＰＡＭ", "s\u{200b}p\u{ad}am", "x spam\n"]
    {
        assert!(refuses("spam", text), "{text}");
        assert!(refuses("ＳpAm", text), "{text}");
    }
    assert!(refuses("ÉCOLE", "l'école"));
    assert!(refuses("straße", "STRAßE"));
}

#[test]
fn a_word_of_a_script_with_spaces_is_a_whole_word_unless_it_says_otherwise() {
    assert!(!refuses("ass", "the class of assumptions"));
    assert!(refuses("ass", "an ass."));
    assert!(refuses("ass", "笨ass蛋"), "another script beside it is no letter of it");
    assert!(refuses("ass*", "assumptions") && !refuses("ass*", "class"));
    assert!(refuses("*ass", "class") && !refuses("*ass", "assumptions"));
    assert!(refuses("*ass*", "classes"));
    assert!(refuses("bad word", "a bad word here") && !refuses("bad word", "bad words"));
}

#[test]
fn a_chinese_word_is_met_anywhere() {
    assert!(refuses("赌博", "我们去赌博吧"));
    assert!(refuses("赌博", "赌\u{200b}博"));
    assert!(!refuses("赌博", "赌一赌，博一博"));
    assert!(refuses("한국", "대한국인"));
}

#[test]
fn what_is_done_is_refusing_before_replacing_before_flagging() {
    let words = [("foul", WordMode::Refuse), ("脏话", WordMode::Replace), ("hint", WordMode::Flag)];
    let (filter, _queue) = filter(&words);
    assert_eq!(filter.look("clean"), Verdict::default());
    let verdict = filter.look("A hint: 说脏话, ＨＩＮＴ");
    assert_eq!(verdict.replaced.as_deref(), Some("A hint: 说**, ＨＩＮＴ"));
    assert_eq!((verdict.refused, verdict.flagged), (None, vec!["hint".to_owned()]));
    assert_eq!(filter.look("脏话 and foul").refused.as_deref(), Some("foul"));
}

#[test]
fn words_in_words_are_replaced_together() {
    let words =
        [("赌", WordMode::Replace), ("赌博", WordMode::Replace), ("博彩", WordMode::Replace)];
    let (filter, _queue) = filter(&words);
    assert_eq!(filter.look("赌博彩赌").replaced.as_deref(), Some("****"));
    assert_eq!(filter.look("a 赌\u{200b}博 b").replaced.as_deref(), Some("a *** b"));
}

#[test]
fn a_file_is_read_line_by_line() {
    let text = "\u{feff}# a comment\n\nspam\r\nflag: hint\n replace:脏话 \nsome: thing\n";
    let words = parse_file(text, WordMode::Refuse).unwrap();
    let words: Vec<_> = words.iter().map(|(word, mode)| (word.as_str(), *mode)).collect();
    let expected = [
        ("spam", WordMode::Refuse),
        ("hint", WordMode::Flag),
        ("脏话", WordMode::Replace),
        ("some: thing", WordMode::Refuse),
    ];
    assert_eq!(words, expected);
    let wrong = parse_file("spam\n***\n", WordMode::Refuse).unwrap_err();
    assert!(wrong.to_string().starts_with("line 2: \"***\" is no word"), "{wrong}");
    let long = "x".repeat(WORD_CHARS_MAX + 1);
    assert!(Compiled::new([(long, WordMode::Flag)]).is_err());
}

fn send(content: Content) -> SendRequest {
    SendRequest {
        to: Destination::NewGroup,
        client_message_id: ClientMessageId::new("m").unwrap(),
        content,
        retry: false,
        first_sent: None,
    }
}

#[tokio::test]
async fn every_text_that_others_read_is_looked_at() {
    use petrel_log::{GroupChange, NewMessage};
    use petrel_protocol::frame::{ContactAction, Custom, History};
    use petrel_types::Seq;
    let (filter, mut queue) = filter(&[("foul", WordMode::Refuse), ("hint", WordMode::Flag)]);
    let text = || "foul".to_owned();
    let some = || Some(text());
    let (seq, user) = (Seq::new(1), UserId::new(1));
    let group = |change: GroupChange| Content::ChangeGroup(change);
    let data = serde_json::json!({"a": [{"b": "foul"}]});
    let data = data.as_object().cloned().unwrap();
    let custom = Box::new(Custom { kind: "poll".to_owned(), data });
    let looked_at = [
        Content::Text(text()),
        Content::Message(Box::new(NewMessage { body: text(), ..NewMessage::default() })),
        Content::Message(Box::new(NewMessage { custom: Some(custom), ..NewMessage::default() })),
        Content::Edit { target: seq, body: text() },
        Content::CreateGroup { title: text(), members: vec![], history: History::All },
        Content::SetTitle(text()),
        group(GroupChange { description: some(), ..GroupChange::default() }),
        group(GroupChange { announcement: some(), ..GroupChange::default() }),
        Content::ChangeMember { user, nickname: some(), mute_ms: None },
        Content::Join { code: String::new(), message: some() },
        Content::Contact { action: ContactAction::Apply, text: some() },
    ];
    for content in looked_at {
        let refusal = filter.check(user, &mut send(content.clone())).unwrap_err();
        assert_eq!(refusal.reason, ErrorReason::WordRefused, "{content:?}");
        assert!(!refusal.message.contains("foul"), "the list is not told: {refusal}");
    }
    let remark = Content::Contact { action: ContactAction::Remark, text: some() };
    assert!(filter.check(user, &mut send(remark)).is_ok());
    assert!(filter.check_name("Foul").is_err() && filter.check_name("hint").is_ok());

    assert!(filter.check(user, &mut send(Content::Text("a hint".to_owned()))).is_ok());
    let flagged = queue.0.recv().await.unwrap();
    assert_eq!((flagged.actor, flagged.words), (user, vec!["hint".to_owned()]));
    filter.replace(Compiled::new([]).unwrap());
    assert!(filter.check(user, &mut send(Content::Text(text()))).is_ok());
}

proptest! {
    /// Whatever people write: no panic, and the letters outside of words stay as they are.
    #[test]
    fn replacing_keeps_the_rest(text in "[a-zA-Zａ-ｚ赌博\u{200b}ßİ .*]{0,40}") {
        let words = [("赌博", WordMode::Replace), ("*a*", WordMode::Replace)];
        let (filter, _queue) = filter(&words);
        let verdict = filter.look(&text);
        let after = verdict.replaced.clone().unwrap_or_else(|| text.clone());
        prop_assert_eq!(after.chars().count(), text.chars().count());
        for (before, after) in text.chars().zip(after.chars()) {
            prop_assert!(before == after || after == '*');
        }
        prop_assert_eq!(filter.look(&after).replaced, None);
    }
}
