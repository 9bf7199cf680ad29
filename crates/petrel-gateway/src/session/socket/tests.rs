use std::ops::ControlFlow;
use std::time::Duration;

use petrel_protocol::close::CloseCode;
use petrel_websocket::{Decoder, Message, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::writing::{DRAIN_WRITE_TIMEOUT, LARGE_TEXT_BYTES};
use super::{End, Inbound, Socket, drain_end};

const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// A masked frame, its header written by hand.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let key = [7, 0, 255, 1];
    let masked = payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [first, 0x80 | payload.len() as u8].into_iter().chain(key).chain(masked).collect()
}

fn pair(room: usize) -> (Socket<DuplexStream>, DuplexStream) {
    let (ours, peers) = duplex(room);
    (Socket::new(ours, &[], CancellationToken::new(), WRITE_TIMEOUT), peers)
}

fn text(next: Result<Inbound, End>) -> String {
    match next {
        Ok(Inbound::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_came_with_the_upgrade_is_read_first() {
    let (ours, mut peer) = duplex(1024);
    let first = frame(0x81, b"first");
    let (early, late) = first.split_at(4);
    let mut socket = Socket::new(ours, early, CancellationToken::new(), WRITE_TIMEOUT);
    assert!(socket.try_next().is_none());
    peer.write_all(&[late, &frame(0x81, b"second")].concat()).await.unwrap();
    assert_eq!(text(socket.next().await), "first");
    assert_eq!(text(socket.try_next().unwrap()), "second");
    assert!(socket.try_next().is_none());

    let (ours, _peer) = duplex(1024);
    let mut socket = Socket::new(ours, &first, CancellationToken::new(), WRITE_TIMEOUT);
    assert_eq!(text(socket.next().await), "first");
}

#[tokio::test]
async fn a_waiting_socket_owns_no_buffer() {
    let (mut socket, mut peer) = pair(1 << 20);
    for round in 0..3 {
        let burst: Vec<u8> = (0..1000).flat_map(|_| frame(0x81, b"hello")).collect();
        peer.write_all(&burst).await.unwrap();
        for _ in 0..1000 {
            let text = text(socket.next().await);
            socket.feed(&text).await.unwrap();
        }
        socket.flush().await.unwrap();
        assert!(socket.try_next().is_none());
        assert_eq!((socket.outgoing.capacity(), socket.decoder.bytes_held()), (0, 0));
        let mut echoes = vec![0; 1000 * 7];
        peer.read_exact(&mut echoes).await.unwrap();
        assert!(echoes.chunks(7).all(|echo| echo == b"\x81\x05hello"), "round {round}");
    }
}

#[tokio::test]
async fn large_texts_and_small_ones_keep_their_order_through_a_narrow_pipe() {
    let (mut socket, mut peer) = pair(1000);
    let lengths = [10, LARGE_TEXT_BYTES, 20, 60_000, 70_000, 1, LARGE_TEXT_BYTES - 1];
    let writing = tokio::spawn(async move {
        for (number, length) in lengths.into_iter().enumerate() {
            socket.feed(&number.to_string().repeat(length)).await.unwrap();
        }
        socket.flush().await.unwrap();
    });
    let mut all = Vec::new();
    peer.read_to_end(&mut all).await.unwrap();
    writing.await.unwrap();
    let mut decoder = Decoder::new(Role::Client, 1 << 20);
    let mut texts = Vec::new();
    let on = |message: Message<'_>| {
        match message {
            Message::Text(text) => texts.push(text.to_owned()),
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    };
    decoder.feed(&mut all, on).unwrap();
    let expected: Vec<_> = (0..).zip(lengths).map(|(n, l)| n.to_string().repeat(l)).collect();
    assert!(texts == expected);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_too_slow_and_one_that_reads_little_is_not() {
    let (mut socket, mut peer) = pair(100);
    let large = "x".repeat(10 * LARGE_TEXT_BYTES);
    let (fed, ()) = tokio::join!(socket.feed(&large), async {
        let mut some = [0; 50];
        for _ in 0..10 {
            tokio::time::sleep(WRITE_TIMEOUT - Duration::from_millis(1)).await;
            peer.read_exact(&mut some).await.unwrap();
        }
    });
    assert!(matches!(fed, Err(End::Close(CloseCode::Slow, _))));

    // The frame that was cut is finished before anything else is said.
    let end = fed.unwrap_err();
    let (_, rest) = tokio::join!(
        async {
            socket.close(end).await;
            drop(socket);
        },
        async {
            let mut rest = Vec::new();
            peer.read_to_end(&mut rest).await.unwrap();
            rest
        }
    );
    let close = rest.len() + 500 - (large.len() + 4);
    let goodbye = &rest[rest.len() - close..];
    assert_eq!(goodbye[..2], [0x88, close as u8 - 2]);
    assert_eq!(u16::from_be_bytes([goodbye[2], goodbye[3]]), CloseCode::Slow.get());
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_noticed_while_a_write_is_blocked() {
    let (ours, mut peer) = duplex(100);
    let draining = CancellationToken::new();
    let mut socket = Socket::new(ours, &[], draining.clone(), WRITE_TIMEOUT);
    let large = "x".repeat(10 * LARGE_TEXT_BYTES);
    let begin = tokio::time::Instant::now();
    let (fed, ()) = tokio::join!(socket.feed(&large), async {
        sleep(Duration::from_secs(1)).await;
        draining.cancel();
    });
    assert!(matches!(fed, Err(End::Close(CloseCode::Slow, _))));
    assert_eq!(begin.elapsed(), Duration::from_secs(1) + DRAIN_WRITE_TIMEOUT);

    // A peer that reads after all is told why, behind what was under way.
    let (_, said) = tokio::join!(
        async {
            socket.close(drain_end(7)).await;
            drop(socket);
        },
        async {
            sleep(2 * DRAIN_WRITE_TIMEOUT).await;
            let mut said = Vec::new();
            peer.read_to_end(&mut said).await.unwrap();
            said
        }
    );
    let goodbye = &said[4 + large.len()..];
    assert_eq!(goodbye[0], 0x88);
    assert_eq!(u16::from_be_bytes([goodbye[2], goodbye[3]]), CloseCode::Drain.get());
}

#[tokio::test]
async fn a_stream_that_holds_back_is_flushed_whatever_was_written() {
    for text in ["small".to_owned(), "x".repeat(LARGE_TEXT_BYTES)] {
        let (ours, mut peer) = duplex(1 << 20);
        let buffered = tokio::io::BufWriter::with_capacity(1 << 20, ours);
        let mut socket = Socket::new(buffered, &[], CancellationToken::new(), WRITE_TIMEOUT);
        socket.feed(&text).await.unwrap();
        socket.flush().await.unwrap();
        let mut first = [0];
        peer.read_exact(&mut first).await.unwrap();
        assert_eq!(first, [0x81]);
    }
}

#[tokio::test]
async fn a_goodbye_is_returned_and_nothing_after_it_is_heard() {
    let (mut socket, mut peer) = pair(1024);
    let said = [frame(0x89, b"p"), frame(0x88, &[3, 232, b'x']), frame(0x81, b"late")].concat();
    peer.write_all(&said).await.unwrap();
    assert!(matches!(socket.next().await, Ok(Inbound::SignOfLife)));
    for _ in 0..2 {
        assert!(matches!(socket.next().await, Err(End::Gone)));
    }
    let closing = tokio::spawn(async move { socket.close(End::Gone).await });
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, [0x8a, 1, b'p', 0x88, 2, 3, 232]);
    drop(peer);
    closing.await.unwrap();
}

#[tokio::test]
async fn a_violation_is_told_with_its_code() {
    let cases: [(&[u8], u16); 3] = [
        (&frame(0xc1, b""), 1002),
        (&frame(0x81, &[0xff]), 1007),
        (&[0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0], 1009),
    ];
    for (bytes, code) in cases {
        let (mut socket, mut peer) = pair(1024);
        peer.write_all(bytes).await.unwrap();
        // 65,535 bytes are allowed, but not on top of a fragment.
        if code == 1009 {
            socket.decoder = Decoder::new(Role::Server, 1000);
        }
        let end = socket.next().await.unwrap_err();
        let closing = tokio::spawn(async move { socket.close(end).await });
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.unwrap();
        assert_eq!((answer[0], u16::from_be_bytes([answer[2], answer[3]])), (0x88, code));
        drop(peer);
        closing.await.unwrap();
    }
}
