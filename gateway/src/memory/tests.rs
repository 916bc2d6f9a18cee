use proptest::prelude::*;

use super::*;

const MIB: usize = 1 << 20;

#[test]
fn bytes_that_do_not_fit_are_refused_and_dropped_ones_are_released() {
    let memory = Memory::new(8 * MIB);
    let mut one = memory.reserve(None, Purpose::Single, 5 * MIB).unwrap();
    assert_eq!(memory.reserve(None, Purpose::Single, 4 * MIB).err(), Some(OutOfMemoryBudget));
    assert_eq!(one.check(3 * MIB), Ok(()));
    assert_eq!(one.check(3 * MIB + 1), Err(OutOfMemoryBudget));
    assert_eq!(one.grow(usize::MAX), Err(OutOfMemoryBudget));
    assert_eq!((memory.reserved(), memory.refused()), (5 * MIB, 3));
    one.shrink_to(MIB);
    one.shrink_to(2 * MIB);
    assert_eq!(memory.reserved(), MIB);
    one.grow_over_budget(9 * MIB);
    assert_eq!(memory.reserve(None, Purpose::Single, 1).err(), Some(OutOfMemoryBudget));
    drop(one);
    assert_eq!(memory.reserved(), 0);
}

#[test]
fn a_key_has_half_and_batches_leave_a_quarter() {
    let memory = Memory::new(8 * MIB);
    let (one, other) = (KeyShare::default(), KeyShare::default());
    let first = memory.reserve(Some(&one), Purpose::Batch, 4 * MIB).unwrap();
    assert_eq!(memory.reserve(Some(&one), Purpose::Single, 1).err(), Some(OutOfMemoryBudget));
    // The bytes that the budget refuses are returned to the share.
    assert_eq!(memory.reserve(Some(&other), Purpose::Batch, 3 * MIB).err(), Some(OutOfMemoryBudget));
    let second = memory.reserve(Some(&other), Purpose::Batch, 2 * MIB).unwrap();
    assert_eq!(memory.reserve(None, Purpose::Batch, 1).err(), Some(OutOfMemoryBudget));
    assert!(memory.reserve(Some(&other), Purpose::Single, 2 * MIB).is_ok());
    drop((first, second));
    assert!(memory.reserve(Some(&one), Purpose::Batch, 4 * MIB).is_ok());
    assert_eq!(memory.reserved(), 0);
}

#[test]
fn an_answer_stays_reserved_while_a_slice_of_it_exists() {
    let memory = Memory::new(MIB);
    let request = memory.reserve(None, Purpose::Single, 10).unwrap();
    let answer = request.reserve_also(0).attached_to(Vec::from([b'x'; 100]));
    drop(request);
    let piece = answer.slice(90..);
    drop(answer);
    assert_eq!(memory.reserved(), 100);
    drop(piece);
    assert_eq!(memory.reserved(), 0);
}

proptest! {
    #[test]
    fn the_budget_equals_the_sum_of_the_reservations(steps in prop::collection::vec((0u8..6, 0usize..200), 0..60)) {
        let (memory, share) = (Memory::new(300), KeyShare::default());
        let mut held = Vec::new();
        for (step, bytes) in steps {
            match (step, held.last_mut()) {
                (0, _) => held.extend(memory.reserve(Some(&share), Purpose::Batch, bytes)),
                (1, Some(last)) => drop(MemoryReservation::grow(last, bytes)),
                (2, Some(last)) => last.shrink_to(bytes),
                (3, Some(last)) => last.grow_over_budget(bytes),
                (4, Some(last)) => {
                    let another = last.reserve_also(bytes);
                    held.push(another);
                }
                _ => drop(held.pop()),
            }
            let sum: usize = held.iter().map(|held: &MemoryReservation| held.bytes).sum();
            prop_assert_eq!((memory.reserved(), share.0.load(Acquire)), (sum, sum));
        }
        held.clear();
        prop_assert_eq!(memory.reserved(), 0);
    }
}
