//! A stage beside the data path: its beginning, its end, and what it is asked in between.

use super::{MIN_LEN, Now, Stage};
use crate::counters::Counter;
use crate::dpdk::packet::Burst;
use crate::evidence::Case;
use crate::dpdk::pool::{HEADROOM, Pool};
use crate::lcore::Request;
use crate::outlet::Outlets;
use crate::wasm::instance::{Callback, Refusal, trap_text};
use perigee_abi::MAX_BATCH;

impl Stage {
    /// The run ends: what the module still holds is freed and counted, its spare rooms go back.
    pub(crate) fn close(&mut self, out: &mut Outlets) {
        while let Some(packet) = self.held.pop() {
            out.drop_one(Counter::Stop, packet);
        }
        for packet in self.spares.iter_mut().filter_map(Option::take) {
            packet.free();
        }
    }

    /// Asks the module something, between two batches. A trap ends the instance as any other does.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Vec<u8>, String> {
        if self.failed.is_some() {
            return Err("the instance has failed".to_owned());
        }
        let answer = match request {
            Request::Message(bytes) => self.instance.message(bytes),
            Request::Save => self.instance.save(),
            Request::Restore(state) => self.instance.restore(state).map(|()| Vec::new()),
        };
        answer.map_err(|refusal| {
            if let Refusal::Trap(text) = &refusal {
                self.case = self.instance.case(0, self.kept_rooms());
                self.failed = Some(text.clone());
            }
            refusal.to_string()
        })
    }

    /// The module's counters, by the names that it gave them.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let values = self.instance.area.counters();
        let named = self.instance.counter_names().into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name?, value))).collect()
    }

    /// Packets held now.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Shows each room of a generator's pool to the module, which writes its template.
    ///
    /// # Errors
    /// It traps, which may come with evidence; or it leaves a length that no packet can have.
    pub(crate) fn prefill(&mut self, pool: &Pool, now: Now) -> Result<(), (String, Option<Box<Case>>)> {
        let mut seen = Vec::new();
        let mut first_len = None;
        loop {
            let left = usize::try_from(pool.available()).unwrap_or(0).min(MAX_BATCH);
            let mut burst = Burst::new();
            if left == 0 || pool.take(&mut burst, left) == 0 {
                break;
            }
            self.publish(&mut burst, now);
            let n = u32::try_from(burst.len()).unwrap_or(0);
            if self.instance.is_recorded() {
                self.record(Callback::Prefill, &mut burst);
            }
            if let Err(e) = self.instance.call(Callback::Prefill, n) {
                return Err((trap_text(perigee_abi::names::PREFILL, &e), self.evidence(&mut burst, now)));
            }
            let longest = burst.iter_mut().map(|p| p.room_len()).next().unwrap_or(0).saturating_sub(HEADROOM);
            for desc in self.instance.area.packets(burst.len()) {
                let len = desc.collect().len;
                if len < MIN_LEN || len > longest {
                    let what = format!("prefill made a packet of {len} bytes, a room takes {MIN_LEN} to {longest}");
                    return Err((what, None));
                }
                first_len.get_or_insert(len);
            }
            seen.push(burst);
        }
        self.template_len = first_len.unwrap_or(self.template_len);
        Ok(())
    }
}
