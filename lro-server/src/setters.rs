//! Setters of structs that may get more fields.

/// One setter for each public field.
macro_rules! setters {
    ($type:ident { $($field:ident: $of:ty,)+ }) => {
        impl $type {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $of) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}
pub(crate) use setters;
