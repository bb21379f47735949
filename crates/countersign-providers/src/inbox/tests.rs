#![allow(clippy::unwrap_used, reason = "tests")]

use countersign_core::ids::MessageId;

use super::*;
use crate::testkit::message;

fn inbox() -> Inbox {
    Inbox::new(ProviderName::parse("inbox").unwrap())
}

fn numbered(n: u32) -> RenderedMessage {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&n.to_be_bytes());
    RenderedMessage { id: MessageId::from_bytes(id), ..message() }
}

#[tokio::test]
async fn the_newest_thousand_are_kept_newest_first() {
    let inbox = inbox();
    for n in 0..1_003 {
        inbox.deliver(&numbered(n)).await.unwrap();
    }
    let ids: Vec<_> = inbox.list().iter().map(|m| m.id).collect();
    assert_eq!(ids.len(), CAPACITY);
    assert_eq!((ids[0], ids[999]), (numbered(1_002).id, numbered(3).id));
    inbox.deliver(&numbered(0)).await.unwrap();
    assert_eq!(inbox.list()[0].id, numbered(0).id, "what made room is forgotten");
}

#[tokio::test]
async fn a_repeated_submission_is_accepted_and_shown_once() {
    let inbox = inbox();
    let mut watch = inbox.watch();
    assert_eq!(inbox.deliver(&message()).await, Ok(Submitted::default()));
    assert_eq!(inbox.deliver(&message()).await, Ok(Submitted::default()));
    assert_eq!(inbox.list().len(), 1);
    inbox.clear();
    assert!(matches!(watch.next().await, Some(Event::Arrived(m)) if m.id == message().id));
    assert!(matches!(watch.next().await, Some(Event::Cleared)));
    assert!(inbox.list().is_empty());
}

#[tokio::test]
async fn every_channel_is_carried() {
    assert_eq!(inbox().channels(), Channel::ALL);
}

#[tokio::test]
async fn a_watcher_that_fell_behind_is_told() {
    let inbox = inbox();
    let mut watch = inbox.watch();
    for n in 0..300 {
        inbox.deliver(&numbered(n)).await.unwrap();
    }
    assert!(matches!(watch.next().await, Some(Event::Missed)));
    drop(inbox);
    let mut rest = 0;
    while watch.next().await.is_some() {
        rest += 1;
    }
    assert_eq!(rest, BACKLOG);
}

#[tokio::test]
async fn debug_shows_a_count_and_no_message() {
    let inbox = inbox();
    inbox.deliver(&message()).await.unwrap();
    assert_eq!(format!("{inbox:?}"), "Inbox { messages: 1, .. }");
}
