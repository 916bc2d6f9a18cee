//! The wordings of all cues as a tree of words: many share their beginnings, and a note is walked word by
//! word. Small and quick to build, because the service starts with it. Knows nothing of what a cue says.

use super::words::{Folded, Word, fold};
use crate::extraction::table::Table;

/// A place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node(u32);

impl Node {
    /// Where every wording begins.
    pub(super) const ROOT: Self = Self(0);

    /// Its place in a list of all nodes.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The tree while it is made.
#[derive(Debug, Default)]
pub(super) struct Builder {
    spellings: Table<Box<[u8]>, u32>,
    next: Table<(Node, u32), Node>,
}

impl Builder {
    /// The words of a stretch of a wording, as the tree spells them: `opens` where the wording begins.
    pub(super) fn spell(&mut self, stretch: &str, opens: bool) -> Vec<u32> {
        let Folded { text, words } = fold(stretch);
        let mut end = 0;
        let mut spelled = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            let mut spelling = Vec::with_capacity(word.folded_end - end + 1);
            if at == 0 {
                spelling.extend_from_slice(if opens { b"" } else { b" " });
                spelling.extend_from_slice(text.get(word.folded_start..word.folded_end).unwrap_or_default());
            } else {
                spelling.extend_from_slice(text.get(end..word.folded_end).unwrap_or_default());
            }
            end = word.folded_end;
            let new = u32::try_from(self.spellings.len()).unwrap_or(u32::MAX);
            spelled.push(*self.spellings.entry(spelling.into_boxed_slice()).or_insert(new));
        }
        spelled
    }

    /// The node after these words, made where it is not there.
    pub(super) fn extend(&mut self, from: Node, words: &[u32]) -> Node {
        words.iter().fold(from, |node, &word| {
            let new = Node(u32::try_from(self.next.len() + 1).unwrap_or(u32::MAX));
            *self.next.entry((node, word)).or_insert(new)
        })
    }

    /// The tree, small; and of each of its nodes, in order, which one it was here.
    pub(super) fn finish(self) -> (Trie, Vec<Node>) {
        let mut edges: Vec<(Node, u32, Node)> =
            self.next.into_iter().map(|((from, word), to)| (from, word, to)).collect();
        edges.sort_unstable_by_key(|&(from, word, _)| (from.0, word));
        let mut trie =
            Trie { spellings: self.spellings, words: vec![u32::MAX], children: Vec::with_capacity(edges.len() + 2) };
        trie.words.reserve_exact(edges.len());
        trie.spellings.shrink_to_fit();
        let mut order = Vec::with_capacity(edges.len() + 1);
        order.push(Node::ROOT);
        let mut at = 0;
        while let Some(&node) = order.get(at) {
            trie.children.push(u32::try_from(order.len()).unwrap_or(u32::MAX));
            let first = edges.partition_point(|&(from, ..)| from.0 < node.0);
            for &(_, word, to) in edges.iter().skip(first).take_while(|&&(from, ..)| from == node) {
                trie.words.push(word);
                order.push(to);
            }
            at += 1;
        }
        trie.children.push(u32::try_from(order.len()).unwrap_or(u32::MAX));
        (trie, order)
    }
}

/// The tree. The children of a node are neighbours, in the order of their words, so that eight bytes say what a node is.
#[derive(Debug, Default)]
pub(super) struct Trie {
    /// Words as they stand in folded text, each with what stands between it and the word before:
    /// " evidence", "/o".
    spellings: Table<Box<[u8]>, u32>,
    /// The word that leads to each node.
    words: Vec<u32>,
    /// The first child of each node; where the next node's begin, its own have ended.
    children: Vec<u32>,
}

impl Trie {
    /// The nodes that the words of a text from this one on lead to, each with its last word.
    pub(super) fn walk<'t>(
        &'t self,
        words: &'t [Word],
        text: &'t [u8],
        first: usize,
    ) -> impl Iterator<Item = (Node, usize)> + 't {
        let mut node = Some(Node::ROOT);
        let mut end = words.get(first).map_or(0, |word| word.folded_start);
        words.iter().enumerate().skip(first).map_while(move |(at, word)| {
            let spelling = self.spellings.get(text.get(end..word.folded_end)?)?;
            end = word.folded_end;
            node = self.child(node?, *spelling);
            Some((node?, at))
        })
    }

    fn child(&self, node: Node, word: u32) -> Option<Node> {
        let first = *self.children.get(node.index())?;
        let end = *self.children.get(node.index() + 1)?;
        let found = self.words.get(first as usize..end as usize)?.binary_search(&word).ok()?;
        Some(Node(first + u32::try_from(found).ok()?))
    }
}
