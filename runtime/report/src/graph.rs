//! What a run is made of, as far as a picture of it needs that: who takes packets from where, and hands them on to whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The ports, rings and chains of a run, and the arrows between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Graph {
    /// Names of the ports, by number.
    pub ports: Vec<String>,
    /// The rings, by number.
    pub rings: Vec<GraphRing>,
    /// The chains, in the order of the configuration.
    pub chains: Vec<GraphChain>,
}

/// A ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct GraphRing {
    /// Name in the configuration.
    pub name: String,
    /// Places for packets.
    pub size: u32,
}

/// A chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct GraphChain {
    /// Name in the configuration.
    pub name: String,
    /// Where its packets come from.
    pub source: GraphSource,
    /// The modules that its packets pass, in order, without the one that makes them.
    pub stages: Vec<String>,
    /// The ports that its packets may leave by. The first is that of packets which the last stage passes on.
    pub ports: Vec<String>,
    /// The rings that its modules may hand packets to.
    pub rings: Vec<String>,
}

/// Where a chain's packets come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GraphSource {
    /// Nobody has said it.
    #[default]
    Nothing,
    /// A port of this name.
    Port(String),
    /// A module of this name makes them.
    Module(String),
    /// A ring of this name.
    Ring(String),
}
