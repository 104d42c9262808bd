//! Claims, as the specification says them.

use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::store::{Claim, OperationState, OperationStore as _, Suspects, WorkerId};
use uuid::Uuid;

use super::{Known, METHOD, Walk, now, same};
use crate::model::{Act, Op};

impl Walk {
    pub(super) fn claim(&mut self) -> Result<(), String> {
        let time = self.time();
        let limit = self.random.below(5) as usize;
        let expires_leases = self.random.per_mille(900);
        if expires_leases {
            self.expire(time);
        }
        let mut wanted = Vec::new();
        for name in self.ready(time, limit) {
            self.act(&name, Act::Claim, 0).ok();
            wanted.push((name.clone(), self.known[&name].op.clone()));
        }
        let times = self.known.values().filter_map(|known| {
            if is_pending(known) {
                Some(known.ready)
            } else {
                known.lease.filter(|_| expires_leases)
            }
        });
        let next = times
            .min()
            .map(|at| Duration::from_micros(u64::try_from(at - time).unwrap_or(0)));
        let claim = Claim {
            worker: WorkerId::from_uuid(Uuid::nil()),
            methods: BTreeMap::from([(METHOD.to_owned(), limit)]),
            limit,
            lease_duration: Duration::from_secs(5),
            suspects: Suspects::default(),
            expires_leases,
        };
        let claimed = now(self.store.claim(claim))?.map_err(|error| error.to_string())?;
        let got = claimed.operations.iter();
        let got: Vec<_> = got
            .map(|record| (record.name.to_string(), Op::of(record)))
            .collect();
        same("claim", &got, &wanted)?;
        same("the next time", &claimed.next_in, &next)
    }

    /// Expires leases: a loss is shared if the worker held something else when its first lease expired.
    fn expire(&mut self, time: i64) {
        let mut held: BTreeMap<Uuid, usize> = BTreeMap::new();
        for known in self.known.values().filter(|known| known.lease.is_some()) {
            *held.entry(known.worker).or_default() += 1;
        }
        let over = self
            .known
            .iter()
            .filter(|(_, known)| known.lease.is_some_and(|end| end < time));
        let over: Vec<_> = over
            .map(|(name, known)| (name.clone(), known.worker, known.shared))
            .collect();
        for (name, worker, shared) in over {
            let shared = shared || held[&worker] > 1;
            let act = if shared {
                Act::ExpireShared
            } else {
                Act::Expire
            };
            self.act(&name, act, 0).ok();
            for known in self.known.values_mut() {
                known.shared |= shared && known.lease.is_some() && known.worker == worker;
            }
        }
    }

    /// The ready operations in the order of claims: a single one that was lost twice, or else those
    /// that were lost once, and then the others.
    fn ready(&self, time: i64, limit: usize) -> Vec<String> {
        let ready = self.known.iter();
        let ready = ready.filter(|(_, known)| is_pending(known) && known.ready <= time);
        let mut ready: Vec<_> = ready
            .map(|(name, known)| {
                let after_suspects = known.op.losses == 0;
                (after_suspects, known.ready, known.uid, name.clone())
            })
            .collect();
        ready.sort();
        let tried = ready
            .iter()
            .find(|(.., name)| self.known[name].op.losses > 1);
        if let Some((.., name)) = tried.filter(|_| limit > 0) {
            return vec![name.clone()];
        }
        ready.truncate(limit);
        ready.into_iter().map(|(.., name)| name).collect()
    }
}

fn is_pending(known: &Known) -> bool {
    known.op.state == OperationState::Pending
}
