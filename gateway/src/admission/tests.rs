//! Slots under waiting, vanishing and every mix of the two.

use proptest::prelude::*;

use super::*;

const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_mins(1);

fn nobody() -> QueuePriority {
    QueuePriority::default()
}

async fn queued(admission: &Admission, count: usize) {
    while admission.counts().queued != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn slots_queue_and_refusal() {
    let admission = Admission::new(1, 1);
    let lease = admission.acquire(&nobody(), Deadline::after(SOON)).await.unwrap();
    let waiter = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.acquire(&nobody(), Deadline::after(LATE)).await }
    });
    queued(&admission, 1).await;
    assert_eq!(admission.acquire(&nobody(), Deadline::after(LATE)).await.unwrap_err(), AdmissionError::QueueFull);
    lease.end();
    let lease = waiter.await.unwrap().unwrap();
    let counts = admission.counts();
    assert_eq!((counts.in_flight, counts.queued, counts.given, counts.returned), (1, 0, 2, 1));
    drop(lease);
    let counts = admission.counts();
    assert_eq!((counts.in_flight, counts.returned, counts.vanished, counts.refused), (0, 2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_waiting_and_a_vanished_caller_leaves_the_queue() {
    let admission = Admission::new(1, 4);
    let _lease = admission.acquire(&nobody(), Deadline::after(SOON)).await.unwrap();
    let late = admission.acquire(&nobody(), Deadline::after(SOON)).await;
    assert_eq!(late.unwrap_err(), AdmissionError::DeadlineExceeded);
    let priority = nobody();
    let waiting = admission.acquire(&priority, Deadline::after(LATE));
    assert!(tokio::time::timeout(SOON, waiting).await.is_err());
    assert_eq!(admission.counts().queued, 0);
}

#[tokio::test]
async fn whoever_would_wait_too_long_is_told_at_once_and_when_to_come_back() {
    let admission = Admission::new(2, 9);
    assert_eq!(admission.retry_after(), UNKNOWN_WAIT);
    admission.state().mean = Some(Duration::from_secs(10));
    let _leases = [
        admission.acquire(&nobody(), Deadline::after(LATE)).await.unwrap(),
        admission.acquire(&nobody(), Deadline::after(LATE)).await.unwrap(),
    ];
    let soon = admission.acquire(&nobody(), Deadline::after(Duration::from_secs(4))).await;
    assert_eq!(soon.unwrap_err(), AdmissionError::QueueFull);
    let priority = nobody();
    let mut waiting = Box::pin(admission.acquire(&priority, Deadline::after(LATE)));
    assert!(tokio::time::timeout(SOON, &mut waiting).await.is_err());
    assert_eq!((admission.counts().queued, admission.retry_after()), (1, Duration::from_secs(10)));
}

#[tokio::test]
async fn one_callers_flood_does_not_refuse_another() {
    let admission = Admission::new(1, 99);
    admission.state().mean = Some(Duration::from_secs(1));
    let lease = admission.acquire(&nobody(), Deadline::after(LATE)).await.unwrap();
    let (flood, page) = (QueuePriority { principal: Some(Principal::named("flood")), bulk: false }, nobody());
    let waiting = |priority: QueuePriority| {
        let admission = Arc::clone(&admission);
        tokio::spawn(async move { admission.acquire(&priority, Deadline::after(Duration::from_secs(8))).await })
    };
    let crowd: Vec<_> = (0..40).map(|_| waiting(flood.clone())).collect();
    // As many of the flood as can be in time; the rest is told so at once.
    while admission.counts().refused + admission.counts().queued as u64 != 40 {
        tokio::task::yield_now().await;
    }
    assert!((7..=8).contains(&admission.counts().queued), "{:?}", admission.counts());
    let page = waiting(page);
    while admission.counts().queued < 8 {
        tokio::task::yield_now().await;
    }
    lease.end();
    // The flood was first, and then it is the page's turn.
    let mut given = 0;
    for one in crowd {
        if page.is_finished() {
            break;
        }
        if let Ok(Ok(lease)) = one.await {
            given += 1;
            lease.end();
            tokio::task::yield_now().await;
        }
    }
    page.await.unwrap().unwrap().end();
    assert!(given <= 2, "{given} of the flood came before the page");
}

/// One thing that happens to the callers of a small admission.
#[derive(Clone, Debug)]
enum Step {
    Come { principal: u8, bulk: bool },
    Look,
    End(usize),
    Vanish(usize),
    TimePasses,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..3, any::<bool>()).prop_map(|(principal, bulk)| Step::Come { principal, bulk }),
        4 => Just(Step::Look),
        2 => (0_usize..8).prop_map(Step::End),
        2 => (0_usize..8).prop_map(Step::Vanish),
        1 => Just(Step::TimePasses),
    ]
}

/// However callers come, wait, go and are cut off: never more leases than slots, and all come back.
async fn no_slot_is_lost(steps: Vec<Step>) {
    const SLOTS: usize = 2;
    let admission = Admission::new(SLOTS, 3);
    let (mut waiting, mut held) = (Vec::new(), Vec::<Lease>::new());
    for step in steps {
        match step {
            Step::Come { principal, bulk } => {
                let priority = QueuePriority { principal: Some(Principal::named(&principal.to_string())), bulk };
                let admission = Arc::clone(&admission);
                let asks = async move { admission.acquire(&priority, Deadline::after(SOON)).await };
                waiting.push(Box::pin(asks));
            }
            Step::Look => {
                let mut still = Vec::new();
                for mut asks in waiting {
                    match futures_util::poll!(&mut asks) {
                        std::task::Poll::Ready(Ok(lease)) => held.push(lease),
                        std::task::Poll::Ready(Err(_)) => {}
                        std::task::Poll::Pending => still.push(asks),
                    }
                }
                waiting = still;
            }
            Step::End(at) if !held.is_empty() => held.swap_remove(at % held.len()).end(),
            Step::Vanish(at) if at % 2 == 0 && !held.is_empty() => drop(held.swap_remove(at % held.len())),
            Step::Vanish(at) if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
            Step::TimePasses => tokio::time::advance(SOON * 2).await,
            Step::End(_) | Step::Vanish(_) => {}
        }
        let counts = admission.counts();
        assert!(held.len() <= counts.in_flight && counts.in_flight <= SLOTS && counts.queued <= 3, "{counts:?}");
        assert_eq!(counts.given - counts.returned, held.len() as u64, "{counts:?}");
    }
    drop((waiting, held));
    let counts = admission.counts();
    assert_eq!((counts.in_flight, counts.queued, counts.given), (0, 0, counts.returned), "{counts:?}");
    // And every slot is still there.
    for _ in 0..SLOTS {
        std::mem::forget(admission.acquire(&nobody(), Deadline::after(SOON)).await.unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn leases_given_are_leases_returned(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(no_slot_is_lost(steps));
    }
}
