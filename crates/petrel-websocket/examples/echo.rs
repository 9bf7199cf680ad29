//! A server that returns every message, for the Autobahn test suite
//! (`make test-autobahn`) and for trying out clients.
//!
//! `cargo run --package petrel-websocket --example echo -- 127.0.0.1:9001`

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::thread;

use petrel_websocket::{Decoder, Message, Opcode, Role, close_payload, encode, handshake};

/// As large as the suite's largest message.
const MESSAGE_BYTES_MAX: u32 = 16 << 20;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    for stream in TcpListener::bind(address)?.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            // A connection that breaks is the suite's business, or nobody's.
            let _ = serve(stream);
        });
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut head = Vec::new();
    let (key, length) = loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..count]);
        if let Some(request) = handshake::read_request(&head).map_err(io::Error::other)? {
            break request;
        }
    };
    let mut out = Vec::new();
    handshake::write_consent(&mut out, &key);
    stream.set_nodelay(true)?;

    let mut decoder = Decoder::new(Role::Server, MESSAGE_BYTES_MAX);
    decoder.keep(&head[length..]);
    let mut count = 0;
    loop {
        let is_over = echo(&mut decoder, &mut buffer[..count], &mut out);
        stream.write_all(&out)?;
        out.clear();
        if is_over {
            stream.shutdown(Shutdown::Write)?;
            // Unread bytes would turn our goodbye into a reset.
            while stream.read(&mut buffer)? > 0 {}
            return Ok(());
        }
        count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
    }
}

/// Answers what was read; true after the last answer.
fn echo(decoder: &mut Decoder, bytes: &mut [u8], out: &mut Vec<u8>) -> bool {
    let mut is_over = false;
    let result = decoder.feed(bytes, |message| {
        match message {
            Message::Text(text) => encode(out, Opcode::Text, text.as_bytes(), None),
            Message::Binary(bytes) => encode(out, Opcode::Binary, bytes, None),
            Message::Ping(payload) => encode(out, Opcode::Pong, payload, None),
            Message::Pong(_) => {}
            Message::Close(code, _) => {
                let echo = code.map(u16::to_be_bytes);
                encode(out, Opcode::Close, echo.as_ref().map_or(&[], |code| code), None);
                is_over = true;
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = result {
        encode(out, Opcode::Close, &close_payload(error.close_code(), ""), None);
    }
    is_over || result.is_err()
}
