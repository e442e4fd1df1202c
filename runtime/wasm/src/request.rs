//! What can be asked of an instance beside the data path.

/// What can be asked of an instance.
#[derive(Clone, Debug)]
pub enum Request {
    /// What does it answer to this message?
    Message(Vec<u8>),
    /// What is its state?
    Save,
    /// Will it go on from this state?
    Restore(Vec<u8>),
}
