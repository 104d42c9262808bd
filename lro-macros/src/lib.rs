//! The #[long_running] attribute
