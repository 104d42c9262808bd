use expect_test::expect_file;

use super::check;

/// Each operation is registered by itself; streams and what else is in the impl stay.
#[test]
fn several_operations() {
    check(
        "",
        "impl<D> pb::library_server::Library for Service<D> where D: Db {
            type ListStream = Shelves;
            #[long_running(standard_fields = false)]
            async fn purge(&self, (): (), _: OperationContext<Struct>) -> Result<(), HandlerError> { Ok(()) }
            #[long_running(metadata = Any, prepare = Self::prepare)]
            async fn r#type(&self, shelf: Shelf, it: Context) -> RpcResult<Shelf> { Ok(shelf) }
            async fn list(&self, r: Request<Q>) -> Result<Response<Self::ListStream>, Status> { self.all(r) }
        }",
        &expect_file!["expected/several_operations.rs"],
    );
}
