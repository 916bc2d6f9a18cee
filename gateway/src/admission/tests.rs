//! Tests of slots with calls that wait, callers that disconnect, and random mixes of both.

use proptest::prelude::*;

use super::*;

const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_mins(1);

fn anonymous() -> QueuePriority {
    QueuePriority::default()
}

async fn queued(admission: &Admission, count: usize) {
    while admission.counts().queued != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_a_free_slot_goes_to_the_waiter() {
    let admission = Admission::new(1, 1);
    let lease = admission.acquire(&anonymous(), Deadline::after(SOON)).await.unwrap();
    let waiter = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.acquire(&anonymous(), Deadline::after(LATE)).await }
    });
    queued(&admission, 1).await;
    assert_eq!(admission.acquire(&anonymous(), Deadline::after(LATE)).await.unwrap_err(), AdmissionError::QueueFull);
    lease.end();
    let lease = waiter.await.unwrap().unwrap();
    let counts = admission.counts();
    assert_eq!((counts.in_flight, counts.queued, counts.given, counts.returned), (1, 0, 2, 1));
    drop(lease);
    let counts = admission.counts();
    assert_eq!((counts.in_flight, counts.returned, counts.abandoned, counts.refused), (0, 2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_wait_and_a_disconnected_caller_leaves_the_queue() {
    let admission = Admission::new(1, 4);
    let _lease = admission.acquire(&anonymous(), Deadline::after(SOON)).await.unwrap();
    let timed_out = admission.acquire(&anonymous(), Deadline::after(SOON)).await;
    assert_eq!(timed_out.unwrap_err(), AdmissionError::DeadlineExceeded);
    let priority = anonymous();
    let waiting = admission.acquire(&priority, Deadline::after(LATE));
    assert!(tokio::time::timeout(SOON, waiting).await.is_err());
    assert_eq!(admission.counts().queued, 0);
}

#[tokio::test]
async fn a_call_that_would_wait_too_long_is_refused_at_once_with_retry_after() {
    let admission = Admission::new(2, 9);
    assert_eq!(admission.retry_after(), UNKNOWN_WAIT);
    admission.state().mean = Some(Duration::from_secs(10));
    let _leases = [
        admission.acquire(&anonymous(), Deadline::after(LATE)).await.unwrap(),
        admission.acquire(&anonymous(), Deadline::after(LATE)).await.unwrap(),
    ];
    let refused = admission.acquire(&anonymous(), Deadline::after(Duration::from_secs(4))).await;
    assert_eq!(refused.unwrap_err(), AdmissionError::QueueFull);
    let priority = anonymous();
    let mut waiting = Box::pin(admission.acquire(&priority, Deadline::after(LATE)));
    assert!(tokio::time::timeout(SOON, &mut waiting).await.is_err());
    assert_eq!((admission.counts().queued, admission.retry_after()), (1, Duration::from_secs(10)));
}

#[tokio::test]
async fn many_calls_of_one_caller_do_not_block_another_caller() {
    let admission = Admission::new(1, 99);
    admission.state().mean = Some(Duration::from_secs(1));
    let lease = admission.acquire(&anonymous(), Deadline::after(LATE)).await.unwrap();
    let (flood, page) = (QueuePriority { principal: Some(Principal::named("flood")), ..anonymous() }, anonymous());
    let waiting = |priority: QueuePriority| {
        let admission = Arc::clone(&admission);
        tokio::spawn(async move { admission.acquire(&priority, Deadline::after(Duration::from_secs(8))).await })
    };
    let flood_calls: Vec<_> = (0..40).map(|_| waiting(flood.clone())).collect();
    // Those calls of the flood wait that can get a slot in time; the others are refused at once.
    while admission.counts().refused + admission.counts().queued as u64 != 40 {
        tokio::task::yield_now().await;
    }
    assert!((7..=8).contains(&admission.counts().queued), "{:?}", admission.counts());
    let page = waiting(page);
    while admission.counts().queued < 8 {
        tokio::task::yield_now().await;
    }
    lease.end();
    // The flood came first, so it gets the first slot, and then the page gets one.
    let mut given = 0;
    for call in flood_calls {
        if page.is_finished() {
            break;
        }
        if let Ok(Ok(lease)) = call.await {
            given += 1;
            lease.end();
            tokio::task::yield_now().await;
        }
    }
    page.await.unwrap().unwrap().end();
    assert!(given <= 2, "{given} calls of the flood got a slot before the page");
}

#[tokio::test(start_paused = true)]
async fn a_background_call_gets_a_slot_only_while_most_are_free_and_ends_for_a_caller() {
    let background = QueuePriority { background: true, ..anonymous() };
    let admission = Admission::new(4, 4);
    let acquire = |priority: QueuePriority| {
        let admission = Arc::clone(&admission);
        async move { admission.acquire(&priority, Deadline::after(LATE)).await }
    };
    let first = acquire(anonymous()).await.unwrap();
    let spare = acquire(background.clone()).await.unwrap();
    assert_eq!(acquire(background.clone()).await.unwrap_err(), AdmissionError::QueueFull);
    let crowded = admission.crowded();
    let others = [acquire(anonymous()).await.unwrap(), acquire(anonymous()).await.unwrap()];
    let mut crowded = std::pin::pin!(crowded);
    assert!(futures_util::poll!(&mut crowded).is_pending(), "every caller has a slot");
    let waiter = tokio::spawn(acquire(anonymous()));
    crowded.await;
    drop(spare);
    waiter.await.unwrap().unwrap().end();
    let counts = admission.counts();
    let of_callers = (counts.queued, counts.refused, counts.abandoned);
    assert_eq!(of_callers, (0, 0, 0), "a background call is no refused caller, and none that has left");
    drop((first, others));
    assert!(Admission::new(1, 1).acquire(&background, Deadline::after(LATE)).await.is_ok());
}

/// A random event for a small admission.
#[derive(Clone, Debug)]
enum Step {
    Call { principal: u8, bulk: bool },
    Poll,
    Finish(usize),
    Disconnect(usize),
    TimePasses,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..3, any::<bool>()).prop_map(|(principal, bulk)| Step::Call { principal, bulk }),
        4 => Just(Step::Poll),
        2 => (0_usize..8).prop_map(Step::Finish),
        2 => (0_usize..8).prop_map(Step::Disconnect),
        1 => Just(Step::TimePasses),
    ]
}

/// Checks that, whatever the steps, there are never more leases than slots, and all leases are returned.
async fn no_slot_is_lost(steps: Vec<Step>) {
    const SLOTS: usize = 2;
    let admission = Admission::new(SLOTS, 3);
    let (mut waiting, mut held) = (Vec::new(), Vec::<Lease>::new());
    for step in steps {
        match step {
            Step::Call { principal, bulk } => {
                let priority = QueuePriority {
                    principal: Some(Principal::named(&principal.to_string())),
                    bulk,
                    background: false,
                };
                let admission = Arc::clone(&admission);
                let call = async move { admission.acquire(&priority, Deadline::after(SOON)).await };
                waiting.push(Box::pin(call));
            }
            Step::Poll => {
                let mut still_waiting = Vec::new();
                for mut call in waiting {
                    match futures_util::poll!(&mut call) {
                        std::task::Poll::Ready(Ok(lease)) => held.push(lease),
                        std::task::Poll::Ready(Err(_)) => {}
                        std::task::Poll::Pending => still_waiting.push(call),
                    }
                }
                waiting = still_waiting;
            }
            Step::Finish(at) if !held.is_empty() => held.swap_remove(at % held.len()).end(),
            Step::Disconnect(at) if at % 2 == 0 && !held.is_empty() => drop(held.swap_remove(at % held.len())),
            Step::Disconnect(at) if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
            Step::TimePasses => tokio::time::advance(SOON * 2).await,
            Step::Finish(_) | Step::Disconnect(_) => {}
        }
        let counts = admission.counts();
        assert!(held.len() <= counts.in_flight && counts.in_flight <= SLOTS && counts.queued <= 3, "{counts:?}");
        assert_eq!(counts.given - counts.returned, held.len() as u64, "{counts:?}");
    }
    drop((waiting, held));
    let counts = admission.counts();
    assert_eq!((counts.in_flight, counts.queued, counts.given), (0, 0, counts.returned), "{counts:?}");
    // Every slot is available again.
    for _ in 0..SLOTS {
        std::mem::forget(admission.acquire(&anonymous(), Deadline::after(SOON)).await.unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_given_lease_is_returned(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(no_slot_is_lost(steps));
    }
}
