//! Stores the wordings of all cues as a tree of words, because many share their first words and a note is matched word
//! by word. The tree is small and quick to build, because the service builds it at start. It does not hold the cues.

use super::words::{FoldedWords, ScopeWord, fold};
use crate::extraction::table::Table;

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node(u32);

impl Node {
    /// The node at which every wording begins.
    pub(super) const ROOT: Self = Self(0);

    /// Returns its index in a list of all nodes.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A tree under construction.
#[derive(Debug, Default)]
pub(super) struct Builder {
    spellings: Table<Box<[u8]>, u32>,
    next: Table<(Node, u32), Node>,
}

impl Builder {
    /// Returns the numbers of the words in part of a wording. `opens`: the wording begins with this part.
    pub(super) fn spell(&mut self, part: &str, opens: bool) -> Vec<u32> {
        let FoldedWords { text, words } = fold(part);
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

    /// Returns the node after these words; creates it if it is missing.
    pub(super) fn extend(&mut self, from: Node, words: &[u32]) -> Node {
        words.iter().fold(from, |node, &word| {
            let new = Node(u32::try_from(self.next.len() + 1).unwrap_or(u32::MAX));
            *self.next.entry((node, word)).or_insert(new)
        })
    }

    /// Returns the compact tree and, for each of its nodes in order, the node of this builder.
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

/// A compact tree: the children of a node are adjacent and sorted by word, so that a node takes eight bytes.
#[derive(Debug, Default)]
pub(super) struct Trie {
    /// The number of each word, spelled as in folded text with the characters between it and the previous word:
    /// " evidence", "/o".
    spellings: Table<Box<[u8]>, u32>,
    /// The word that leads to each node.
    words: Vec<u32>,
    /// The first child of each node. The children of a node end where those of the next node begin.
    children: Vec<u32>,
}

impl Trie {
    /// Returns the nodes that the words of a text lead to, from word `first` on, each with the index of its last word.
    pub(super) fn walk<'t>(
        &'t self,
        words: &'t [ScopeWord],
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
