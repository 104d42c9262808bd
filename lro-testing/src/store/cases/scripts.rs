use crate::store::compare::compare_with_memory;
use crate::store::trial::Trial;

pub(crate) async fn a_script_of_seed_1_gives_what_memory_gives(trial: Trial) {
    script(&trial, 1).await;
}

pub(crate) async fn a_script_of_seed_2_gives_what_memory_gives(trial: Trial) {
    script(&trial, 2).await;
}

pub(crate) async fn a_script_of_seed_3_gives_what_memory_gives(trial: Trial) {
    script(&trial, 3).await;
}

pub(crate) async fn a_script_of_seed_4_gives_what_memory_gives(trial: Trial) {
    script(&trial, 4).await;
}

pub(crate) async fn a_script_of_seed_5_gives_what_memory_gives(trial: Trial) {
    script(&trial, 5).await;
}

async fn script(trial: &Trial, seed: u64) {
    compare_with_memory(trial.store().clone(), trial.clock.clone(), seed, 500).await;
}
