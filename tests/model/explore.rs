//! Walking through all states of a model, breadth first: the first violation that is found has a shortest trace.

use std::collections::{HashMap, VecDeque};

/// Something that has states and steps between them.
pub trait Model {
    type State: Clone;
    type Action: Copy;

    fn first(&self) -> Self::State;

    /// What tells one state from all others.
    fn digest(&self, state: &Self::State) -> u64;

    /// All that can happen next.
    fn actions(&self, state: &Self::State) -> Vec<Self::Action>;

    /// The state after it.
    fn after(&self, state: &Self::State, action: Self::Action) -> Self::State;

    /// Whether it happens by itself where nothing goes wrong.
    fn is_regular(&self, action: Self::Action) -> bool;

    /// What must not be, if it is.
    fn violation(&self, state: &Self::State) -> Option<String>;

    /// Whether all is done.
    fn is_done(&self, state: &Self::State) -> bool;

    /// What an action does in a state, in words.
    fn tell(&self, state: &Self::State, action: Self::Action) -> String;
}

/// What was seen.
pub struct Seen {
    pub states: usize,
    pub steps: usize,
    pub depth: usize,
    pub done: usize,
    pub violation: Option<Violation>,
}

/// What must not be, and how it comes to it.
pub struct Violation {
    pub what: String,
    pub trace: Vec<String>,
}

struct Node<A> {
    parent: u32,
    action: Option<A>,
    depth: u32,
}

/// All states, up to the first violation. Where there is none, it is looked for states from which no way leads to
/// one that is done although nothing goes wrong any more.
pub fn explore<M: Model>(model: &M) -> Seen {
    let mut nodes: Vec<Node<M::Action>> = Vec::new();
    let mut known: HashMap<u64, u32> = HashMap::new();
    let mut ahead: VecDeque<(u32, M::State)> = VecDeque::new();
    // Steps in which nothing goes wrong, backwards.
    let mut regular: Vec<(u32, u32)> = Vec::new();
    let mut done: Vec<u32> = Vec::new();
    let mut steps = 0;
    let first = model.first();
    known.insert(model.digest(&first), 0);
    nodes.push(Node { parent: 0, action: None, depth: 0 });
    ahead.push_back((0, first));
    let mut found = None;
    'all: while let Some((at, state)) = ahead.pop_front() {
        if model.is_done(&state) {
            done.push(at);
        }
        for action in model.actions(&state) {
            steps += 1;
            let next = model.after(&state, action);
            let fresh = u32::try_from(nodes.len()).unwrap();
            let to = *known.entry(model.digest(&next)).or_insert(fresh);
            if model.is_regular(action) {
                regular.push((to, at));
            }
            if to != fresh {
                continue;
            }
            let depth = nodes[at as usize].depth + 1;
            nodes.push(Node { parent: at, action: Some(action), depth });
            if let Some(what) = model.violation(&next) {
                found = Some((what, fresh));
                break 'all;
            }
            ahead.push_back((fresh, next));
        }
    }
    let depth = nodes.iter().map(|node| node.depth).max().unwrap_or(0) as usize;
    if found.is_none() {
        let stuck = never_done(nodes.len(), &done, regular);
        found =
            stuck.map(|at| ("no way leads to the end although nothing goes wrong any more".to_owned(), at));
    }
    let violation = found.map(|(what, at)| Violation { what, trace: trace(model, &nodes, at) });
    Seen { states: nodes.len(), steps, depth, done: done.len(), violation }
}

/// The first state that none of those that are done can be reached from.
fn never_done(count: usize, done: &[u32], mut backwards: Vec<(u32, u32)>) -> Option<u32> {
    backwards.sort_unstable();
    let mut reaches = vec![false; count];
    let mut ahead: Vec<u32> = done.to_vec();
    done.iter().for_each(|at| reaches[*at as usize] = true);
    while let Some(at) = ahead.pop() {
        let first = backwards.partition_point(|(to, _)| *to < at);
        for (_, from) in backwards[first..].iter().take_while(|(to, _)| *to == at) {
            if !std::mem::replace(&mut reaches[*from as usize], true) {
                ahead.push(*from);
            }
        }
    }
    reaches.iter().position(|reaches| !reaches).map(|at| u32::try_from(at).unwrap())
}

fn trace<M: Model>(model: &M, nodes: &[Node<M::Action>], mut at: u32) -> Vec<String> {
    let mut actions = Vec::new();
    while let Some(action) = nodes[at as usize].action {
        actions.push(action);
        at = nodes[at as usize].parent;
    }
    let mut state = model.first();
    let mut told = Vec::new();
    for action in actions.into_iter().rev() {
        told.push(model.tell(&state, action));
        state = model.after(&state, action);
    }
    told
}
