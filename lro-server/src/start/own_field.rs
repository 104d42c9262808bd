//! The field in which a service keeps its `Operations`.

use std::ops::Deref;

/// A service whose field `operations` the macro reads. The compiler quotes the name of this type
/// where there is no such field: "add the field `operations`, or the argument".
///
/// ```
/// use lro_server::Operations;
/// use lro_server::__private::AddTheFieldOrTheArgument;
///
/// struct Exporter {
///     operations: Operations,
/// }
///
/// fn operations_of(exporter: &Exporter) -> Operations {
///     AddTheFieldOrTheArgument::of(exporter).operations.clone()
/// }
/// ```
#[derive(Debug)]
pub struct AddTheFieldOrTheArgument<'a, T: ?Sized> {
    service: &'a T,
}

impl<'a, T: ?Sized> AddTheFieldOrTheArgument<'a, T> {
    /// Wraps the service.
    pub fn of(service: &'a T) -> Self {
        Self { service }
    }
}

impl<T: ?Sized> Deref for AddTheFieldOrTheArgument<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.service
    }
}
