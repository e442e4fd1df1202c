//! The translator in a test host.
