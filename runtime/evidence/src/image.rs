//! An instance's memory without its window, as pieces that are not all zero.

use perigee_wasm::instance::Instance;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is looked at at once. A page that is all zero is left out.
const PAGE: usize = 4_096;

/// A memory at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Bytes of the memory, the window included.
    pub len: u64,
    /// Where the window begins, and its bytes: they are left out.
    pub window: (u32, u32),
    /// What is not zero, in order and apart.
    pub pieces: Vec<Piece>,
}

/// Neighbouring pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Address of the first byte.
    pub at: u32,
    #[serde(with = "super::bytes")]
    pub bytes: Vec<u8>,
}

impl Image {
    /// Copies an instance's memory, between two calls.
    pub fn of(instance: &Instance) -> Self {
        let mut image = Self::outline(instance);
        let (len, (window, window_len)) = (instance.size(), image.window);
        let end = (window as usize).saturating_add(window_len as usize).min(len);
        image.add(instance, 0, window as usize);
        image.add(instance, end, len);
        image
    }

    /// How large it is, and nothing that is in it.
    pub fn outline(instance: &Instance) -> Self {
        let window = (instance.window, instance.window_len());
        Self { len: instance.size() as u64, window, pieces: Vec::new() }
    }

    fn add(&mut self, instance: &Instance, from: usize, to: usize) {
        const ZEROS: [u8; PAGE] = [0; PAGE];
        let mut page = [0; PAGE];
        for at in (from..to).step_by(PAGE) {
            let page = &mut page[..PAGE.min(to - at)];
            let Ok(at) = u32::try_from(at) else { return };
            if !instance.read(at, page) || *page == ZEROS[..page.len()] {
                continue;
            }
            match self.pieces.last_mut() {
                Some(last) if last.at as usize + last.bytes.len() == at as usize => last.bytes.extend_from_slice(page),
                _ => self.pieces.push(Piece { at, bytes: page.to_vec() }),
            }
        }
    }

    /// SHA-256 of all of it.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.len.to_le_bytes());
        for piece in &self.pieces {
            hash.update(piece.at.to_le_bytes());
            hash.update((piece.bytes.len() as u64).to_le_bytes());
            hash.update(&piece.bytes);
        }
        hash.finalize().into()
    }

    /// Makes an instance's memory what it was, but for the window.
    ///
    /// # Errors
    /// The memory cannot become so long, or a piece does not lie in it.
    pub fn restore(&self, instance: &mut Instance) -> Result<(), String> {
        instance.grow_to(self.len)?;
        if instance.size() as u64 != self.len {
            return Err(format!("its memory has {} bytes, in the recording {}", instance.size(), self.len));
        }
        for piece in &Self::of(instance).pieces {
            instance.write(piece.at, &vec![0; piece.bytes.len()]);
        }
        for piece in &self.pieces {
            if !instance.write(piece.at, &piece.bytes) {
                return Err(format!(
                    "a piece of {} bytes at {} does not lie in the memory",
                    piece.bytes.len(),
                    piece.at
                ));
            }
        }
        Ok(())
    }
}
