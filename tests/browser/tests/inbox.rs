//! The inbox page of dev mode, as a person meets it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use countersign_browser_tests::{Browser, Screen, Service, turn};
use serde_json::json;

const PHONE: &str = "+12125550123";

#[tokio::test]
async fn a_code_appears_without_a_reload_and_one_click_copies_it() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#empty h2", "Nothing here yet").await;
    page.picture("inbox-empty-desktop-light").await;

    service.verify(PHONE).await;
    page.reads(".message .to", PHONE).await;
    let message = &service.inbox().await[0];
    let code = message["code"].as_str().unwrap();
    page.reads(".message .text", message["text"].as_str().unwrap()).await;
    page.reads(".message .digits b:first-child", &code[..3]).await;
    page.reads(".message .digits b:last-child", &code[3..]).await;

    page.picture("inbox-desktop-light").await;

    page.click(".message .code").await;
    page.reads(".message .code .copy", "Copied").await;
    assert_eq!(pasted(&page).await, code);
    page.close().await;
}

/// What is in the clipboard, by pasting it into the filter.
async fn pasted(page: &Browser) -> String {
    page.fill("#filter", "\u{e009}v\u{e009}").await; // Control held, v, Control released
    page.find("#filter").await.prop("value").await.unwrap().unwrap()
}

#[tokio::test]
async fn pushing_the_clock_on_the_page_moves_the_service() {
    let _turn = turn().await;
    let service = Service::start().await;
    let id = service.verify(PHONE).await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.counts(".message", 1).await;
    assert_eq!(service.verification(&id).await["status"], "pending");

    page.click("[data-push='30']").await;
    page.reads("#announce", "The service's clock was pushed by 30 s.").await;
    page.fill("#seconds", "571\u{e007}").await; // and Enter
    page.reads(".message .life", "code expired").await;
    assert_eq!(service.verification(&id).await["status"], "expired");
    page.close().await;
}

#[tokio::test]
async fn a_push_by_the_api_reaches_an_open_page() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#drift", "in step with this computer").await;
    service.call("POST", "/dev/clock", &json!({"advance_seconds": 3600})).await;
    page.reads("#drift", "1 h ahead of this computer").await;
    page.close().await;
}

#[tokio::test]
async fn messages_are_filtered_by_recipient_and_cleared_by_a_second_click() {
    let _turn = turn().await;
    let service = Service::start().await;
    for to in [PHONE, "+12125550124", "ada@example.com"] {
        service.verify(to).await;
    }
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#count", "3 messages").await;
    page.fill("#filter", "555-0124").await;
    page.counts(".message", 1).await;
    page.reads("#count", "1 of 3 messages").await;

    page.click("#clear").await;
    page.reads("#clear", "Clear 3 messages?").await;
    assert_eq!(service.inbox().await.len(), 3);
    page.click("#clear").await;
    page.reads("#empty h2", "Nothing here yet").await;
    assert!(service.inbox().await.is_empty());
    page.close().await;
}

#[tokio::test]
async fn on_a_phone_everything_fits_and_the_clock_is_one_tap_away() {
    let _turn = turn().await;
    let service = Service::start().await;
    for to in [PHONE, "a-rather-long-mailbox-name.for-a-narrow-screen@example.com"] {
        service.verify(to).await;
    }
    let page = Browser::open(Screen::Phone, &service.url).await;
    page.counts(".message", 2).await;
    // Not `innerWidth`: a phone zooms out until everything fits.
    let overflow =
        "const { scrollWidth, clientWidth } = document.documentElement; return scrollWidth - clientWidth";
    assert_eq!(page.client.execute(overflow, vec![]).await.unwrap(), 0);
    page.counts("[data-push]", 0).await;
    page.picture("inbox-phone-dark").await;
    page.click("#clock summary").await;
    page.counts("[data-push]", 5).await;

    page.click("nav [href='/docs']").await;
    page.find(".api .sample").await;
    assert_eq!(page.client.execute(overflow, vec![]).await.unwrap(), 0);
    page.picture("try-phone-dark").await;
    page.close().await;
}

#[tokio::test]
async fn a_command_is_shown_for_every_api_and_can_be_copied() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &format!("{}/docs", service.url)).await;
    let samples = service.call("GET", "/dev/samples", &json!(null)).await.body;
    let samples = samples.as_array().unwrap();
    assert!(!samples.is_empty());
    page.counts(".api .sample", samples.len()).await;
    page.reads(".api .sample .title", samples[0]["title"].as_str().unwrap()).await;
    page.reads(".api .sample pre", samples[0]["curl"].as_str().unwrap()).await;
    page.click(".api .sample .copy").await;
    page.reads(".api .sample .copy", "Copied").await;
    page.picture("try-desktop-light").await;
    page.close().await;
}

#[tokio::test]
async fn an_open_page_does_not_keep_the_program_from_leaving() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#live", "Live").await;
    // Less than the time that requests under way are given.
    assert!(service.leave().await < Duration::from_secs(15));
    page.reads("#live", "Reconnecting…").await;
    page.close().await;
}
