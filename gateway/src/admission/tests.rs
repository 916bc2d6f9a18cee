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
    assert_eq!(
        of_callers,
        (0, 0, 0),
        "a background call does not count as a refused caller, nor as one that disconnected"
    );
    drop((first, others));
    assert!(Admission::new(1, 1).acquire(&background, Deadline::after(LATE)).await.is_ok());
}

/// Returns an admission with this many slots and tokens.
fn with_tokens(slots: usize, tokens: u64) -> Arc<Admission> {
    Admission::with_capacity(slots, 99, Some(Arc::new(TokenCapacity::of(tokens))))
}

/// Starts a call that waits for its lease.
fn call(
    admission: &Arc<Admission>,
    tokens: u64,
    priority: &QueuePriority,
) -> tokio::task::JoinHandle<Result<Lease, AdmissionError>> {
    let (admission, priority) = (Arc::clone(admission), priority.clone());
    tokio::spawn(async move { admission.acquire_for(tokens, &priority, Deadline::after(LATE)).await })
}

#[tokio::test(start_paused = true)]
async fn as_many_calls_run_as_their_tokens_fit() {
    let admission = with_tokens(32, 30_000);
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for (tokens, leases, fit) in [(1_814, &mut long, 16), (266, &mut short, 32)] {
        let calls: Vec<_> = (0..40).map(|_| call(&admission, tokens, &anonymous())).collect();
        queued(&admission, 40 - fit).await;
        assert_eq!(admission.counts().in_flight, fit, "{tokens}");
        assert_eq!(admission.counts().tokens, tokens * fit as u64);
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        for call in calls {
            leases.extend(call.await.ok());
        }
        leases.clear();
        assert_eq!((admission.counts().in_flight, admission.counts().tokens, admission.counts().queued), (0, 0, 0));
    }
}

/// The estimated wait of a call, in seconds, with 32 slots, room for 3,200 tokens and 10 s a call.
async fn expected_wait(running: &[u64], waiting: &[u64], tokens: u64) -> f64 {
    let admission = with_tokens(32, 3_200);
    let mut leases = Vec::new();
    for &tokens in running {
        leases.push(admission.acquire_for(tokens, &anonymous(), Deadline::after(LATE)).await.unwrap());
    }
    let _waiting: Vec<_> = waiting.iter().map(|&tokens| call(&admission, tokens, &anonymous())).collect();
    queued(&admission, waiting.len()).await;
    let mut state = admission.state();
    state.mean = Some(Duration::from_secs(10));
    let turns = state.queue.ahead(&anonymous());
    admission.wait(&state, turns, Some(tokens), admission.token_capacity()).as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn the_expected_wait_counts_the_slots_that_the_waiting_calls_will_get() {
    for (running, waiting, tokens, seconds) in [
        // One long call fills the GPU: it ends after 10 s, and then 32 short ones run at once.
        (&[3_200][..], &[][..], 100, 10.0),
        (&[3_200], &[100; 8], 100, 10.0 + 80.0 / 32.0),
        (&[1_600; 2], &[100; 8], 100, 5.0 + 80.0 / 32.0),
        // If long calls wait, fewer calls run at once: four of 800 tokens.
        (&[3_200], &[800; 3], 800, 10.0 + 30.0 / 4.0),
        // As many calls run as there are slots, although more would fit by their tokens.
        (&[100; 32], &[50; 8], 50, 90.0 / 32.0),
        // A long call needs the room of all short ones.
        (&[100; 32], &[], 3_200, 10.0),
        // A call that is larger than the capacity runs alone.
        (&[3_200], &[], 99_999, 10.0),
    ] {
        let wait = expected_wait(running, waiting, tokens).await;
        assert!((wait - seconds).abs() < 0.001, "{running:?} {waiting:?} {tokens}: {wait}, not {seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn short_calls_do_not_overtake_a_long_one_that_waits_for_tokens() {
    let admission = with_tokens(8, 100);
    let first = call(&admission, 60, &anonymous()).await.unwrap().unwrap();
    let long = call(&admission, 80, &anonymous());
    queued(&admission, 1).await;
    let short: Vec<_> = (0..3).map(|_| call(&admission, 10, &anonymous())).collect();
    queued(&admission, 4).await;
    assert_eq!(admission.counts().in_flight, 1, "there is room for the short ones, but it is not their turn");
    first.end();
    let long = long.await.unwrap().unwrap();
    queued(&admission, 1).await;
    assert_eq!((admission.counts().in_flight, admission.counts().tokens), (3, 100));
    long.end();
    for call in short {
        call.await.unwrap().unwrap().end();
    }
    assert_eq!((admission.counts().in_flight, admission.counts().tokens), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_long_call_that_leaves_lets_those_behind_it_run() {
    let admission = with_tokens(8, 100);
    let _first = call(&admission, 60, &anonymous()).await.unwrap().unwrap();
    let long = call(&admission, 80, &anonymous());
    queued(&admission, 1).await;
    let short = call(&admission, 10, &anonymous());
    queued(&admission, 2).await;
    long.abort();
    assert!(long.await.unwrap_err().is_cancelled());
    short.await.unwrap().unwrap().end();
    assert_eq!((admission.counts().tokens, admission.counts().queued), (60, 0));
}

#[tokio::test(start_paused = true)]
async fn a_long_note_of_a_batch_waits_for_three_single_notes_at_most() {
    let admission = with_tokens(8, 100);
    let first = call(&admission, 60, &anonymous()).await.unwrap().unwrap();
    let bulk = call(&admission, 80, &QueuePriority { bulk: true, ..anonymous() });
    queued(&admission, 1).await;
    let mut before = 0;
    for _ in 0..9 {
        let single = call(&admission, 10, &anonymous());
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        if !single.is_finished() {
            break;
        }
        single.await.unwrap().unwrap().end();
        before += 1;
    }
    assert_eq!(before, 3, "single notes before the turn of the batch: there is room for them, and then it is its turn");
    first.end();
    bulk.await.unwrap().unwrap().end();
}

#[tokio::test(start_paused = true)]
async fn a_call_larger_than_the_capacity_runs_alone_and_an_unknown_capacity_limits_nothing() {
    let capacity = Arc::new(TokenCapacity::default());
    let admission = Admission::with_capacity(4, 9, Some(Arc::clone(&capacity)));
    let unlimited = [call(&admission, 900, &anonymous()).await, call(&admission, 900, &anonymous()).await];
    assert_eq!((admission.counts().tokens, admission.counts().token_capacity), (1_800, None));
    capacity.set(Some(100));
    let huge = call(&admission, 5_000, &anonymous());
    queued(&admission, 1).await;
    drop(unlimited);
    let huge = huge.await.unwrap().unwrap();
    assert_eq!((admission.counts().tokens, admission.counts().token_capacity), (100, Some(100)));
    let next = call(&admission, 1, &anonymous());
    queued(&admission, 1).await;
    drop(huge);
    next.await.unwrap().unwrap().end();
    assert_eq!(admission.counts().tokens, 0);
}

#[tokio::test]
async fn tokens_come_back_from_a_call_that_panics() {
    let admission = with_tokens(2, 100);
    let panicked = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move {
            let _lease = admission.acquire_for(100, &anonymous(), Deadline::after(LATE)).await.unwrap();
            panic!("a fault of the engine");
        }
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!((admission.counts().tokens, admission.counts().in_flight), (0, 0));
}

/// A random event for a small admission.
#[derive(Clone, Debug)]
enum Step {
    Call { principal: u8, bulk: bool, background: bool, tokens: u64 },
    Poll,
    Finish(usize),
    Disconnect(usize),
    TimePasses,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..3, any::<bool>(), 0_u8..9, 0_u64..150).prop_map(|(principal, bulk, background, tokens)| {
            Step::Call { principal, bulk, background: background == 0, tokens }
        }),
        4 => Just(Step::Poll),
        2 => (0_usize..8).prop_map(Step::Finish),
        2 => (0_usize..8).prop_map(Step::Disconnect),
        1 => Just(Step::TimePasses),
    ]
}

/// Checks that, whatever the steps, there are never more leases than slots nor more tokens than the capacity, all leases and
/// tokens are returned, and no call waits that could run.
async fn no_slot_is_lost(steps: Vec<Step>) {
    const SLOTS: usize = 3;
    const TOKENS: u64 = 100;
    let admission = Admission::with_capacity(SLOTS, 3, Some(Arc::new(TokenCapacity::of(TOKENS))));
    let (mut waiting, mut held) = (Vec::new(), Vec::<Lease>::new());
    for step in steps {
        match step {
            Step::Call { principal, bulk, background, tokens } => {
                let priority =
                    QueuePriority { principal: Some(Principal::named(&principal.to_string())), bulk, background };
                let admission = Arc::clone(&admission);
                let call = async move { admission.acquire_for(tokens, &priority, Deadline::after(SOON)).await };
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
        let tokens_held: u64 = held.iter().map(|lease| lease.tokens).sum();
        assert!(tokens_held <= counts.tokens && counts.tokens <= TOKENS, "{counts:?}");
        let state = admission.state();
        let could_run = state.queue.peek().and_then(|next| state.room(next.tokens, Some(TOKENS)));
        assert_eq!(could_run, None, "a call waits although there is room for it: {counts:?}");
    }
    drop((waiting, held));
    let counts = admission.counts();
    assert_eq!((counts.in_flight, counts.queued, counts.given), (0, 0, counts.returned), "{counts:?}");
    assert_eq!(counts.tokens, 0, "{counts:?}");
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
