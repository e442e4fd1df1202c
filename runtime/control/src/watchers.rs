//! Who watches the control server from outside.

/// Who is told when a changed configuration is taken over, such as the process's supervisor. Called by the thread that changes
/// the run, in the jail: what it takes must be open before.
pub trait Observer: Send + Sync + 'static {
    /// One has come.
    fn applying(&self);
    /// It is in force, or was refused.
    fn applied(&self);
}

/// How the process's log is filtered while it runs.
pub trait LogFilter: Send + Sync + 'static {
    /// The filter in force.
    fn get(&self) -> String;
    /// Puts another one in force.
    ///
    /// # Errors
    /// A text that says what is wrong with the filter.
    fn set(&self, filter: &str) -> Result<(), String>;
}
