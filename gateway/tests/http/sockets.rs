//! Over real sockets: what only a connection shows.

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

/// Node's client keeps idle connections for its next request: a server that closes them first makes it
/// fail now and then.
const NODE_KEEPS: Duration = Duration::from_secs(75);

#[tokio::test]
async fn an_idle_connection_is_kept_and_a_stop_ends_the_server() {
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.listen = "127.0.0.1:0".parse().unwrap();
    let bound = Gateway::new(settings).unwrap().bind().await.unwrap();
    let mut connection = TcpStream::connect(bound.address()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let asked = async move {
        let _ = stopped.await;
    };
    let serving = tokio::spawn(bound.serve(asked, std::future::pending()));
    assert!(live(&mut connection).await.starts_with("HTTP/1.1 200"));
    tokio::time::pause();
    tokio::time::advance(NODE_KEEPS + Duration::from_secs(5)).await;
    tokio::time::resume();
    assert!(live(&mut connection).await.starts_with("HTTP/1.1 200"), "closed while idle");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let mut rest = Vec::new();
    assert_eq!(connection.read_to_end(&mut rest).await.unwrap(), 0, "an idle connection is closed at the end");
}

async fn live(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0, "the server closed the connection");
    }
    String::from_utf8(answer).unwrap()
}
