//! Tests behaviour that only a real connection can show.

use std::time::Duration;

use gateway::{
    config::{Flags, Settings},
    server::Gateway,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

/// How long the HTTP client of Node keeps idle connections. If the server closes them first, some requests fail.
const NODE_KEEP_ALIVE: Duration = Duration::from_secs(75);

#[tokio::test]
async fn an_idle_connection_is_kept_until_the_server_stops() {
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.listen = "127.0.0.1:0".parse().unwrap();
    let bound = Gateway::new(settings).unwrap().bind().await.unwrap();
    let mut connection = TcpStream::connect(bound.address()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stop_signal = async move {
        let _ = stopped.await;
    };
    let serving = tokio::spawn(bound.serve(stop_signal, std::future::pending()));
    assert!(live(&mut connection).await.starts_with("HTTP/1.1 200"));
    tokio::time::pause();
    tokio::time::advance(NODE_KEEP_ALIVE + Duration::from_secs(5)).await;
    tokio::time::resume();
    assert!(live(&mut connection).await.starts_with("HTTP/1.1 200"), "the server closed an idle connection");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let mut rest = Vec::new();
    assert_eq!(connection.read_to_end(&mut rest).await.unwrap(), 0, "a stopped server must close idle connections");
}

async fn live(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0, "the server closed the connection");
    }
    String::from_utf8(answer).unwrap()
}
