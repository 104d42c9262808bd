//! Which method takes its operation's parent from where.

use expect_test::expect;
use syn::{ImplItem, Item};

#[test]
fn of_the_impl_of_the_method_and_of_neither() {
    let method = |mark: &str, name: &str| {
        format!(
            "{mark} async fn {name}(&self, request: Q, operation: OperationContext<M>) \
             -> Result<R, Status> {{ body }}"
        )
    };
    let item = format!(
        "impl pb::rooms_server::Rooms for Hotel {{ {} {} {} }}",
        method("#[long_running]", "create_room"),
        method("#[long_running(parent = \"buildings/*\")]", "delete_room"),
        method(
            "#[long_running(parent = \"\", prepare = prepare)]",
            "tidy_rooms"
        ),
    );
    let expansion = crate::expand(
        "parent = \"buildings/*/floors/*\"".parse().unwrap(),
        item.parse().unwrap(),
    );
    let file: syn::File = syn::parse2(expansion).unwrap();
    let Some(Item::Impl(rpcs)) = file.items.into_iter().next() else {
        panic!("the first item is the trait's impl");
    };
    let bodies = rpcs.items.into_iter().filter_map(|item| match item {
        ImplItem::Fn(rpc) => Some(rpc.block.stmts),
        _ => None,
    });
    let bodies: String = bodies
        .map(|body| {
            let body = quote::quote! { fn body() { #(#body)* } };
            prettyplease::unparse(&syn::parse2(body).unwrap())
        })
        .collect();
    expect![[r#"
        fn body() {
            let __options = ::core::default::Default::default();
            let __options = ::lro_server::__private::parent_from::<
                pb::rooms_server::long_running_rpcs::create_room,
            >(
                __options,
                __request.get_ref(),
                <pb::rooms_server::long_running_rpcs::create_room as ::lro_server::__private::Targeted>::TARGET_FIELD,
                "buildings/*/floors/*",
            )?;
            ::lro_server::__private::start::<
                pb::rooms_server::long_running_rpcs::create_room,
                Self,
                pb::rooms_server::RoomsServer<Self>,
            >(
                    &::lro_server::__private::AddTheFieldOrTheArgument::of(self).operations,
                    __request,
                    __options,
                )
                .await
        }
        fn body() {
            let __options = ::core::default::Default::default();
            let __options = ::lro_server::__private::parent_from::<
                pb::rooms_server::long_running_rpcs::delete_room,
            >(
                __options,
                __request.get_ref(),
                <pb::rooms_server::long_running_rpcs::delete_room as ::lro_server::__private::Targeted>::TARGET_FIELD,
                "buildings/*",
            )?;
            ::lro_server::__private::start::<
                pb::rooms_server::long_running_rpcs::delete_room,
                Self,
                pb::rooms_server::RoomsServer<Self>,
            >(
                    &::lro_server::__private::AddTheFieldOrTheArgument::of(self).operations,
                    __request,
                    __options,
                )
                .await
        }
        fn body() {
            let __options = {
                let __options = ::lro_server::__private::Prepare::prepare(
                        prepare(self, &__request),
                    )
                    .await?;
                let __options: ::lro_server::__private::StartOptions<
                    <pb::rooms_server::long_running_rpcs::tidy_rooms as ::lro_server::__private::LongRunningMethod>::Metadata,
                > = __options;
                __options
            };
            ::lro_server::__private::start::<
                pb::rooms_server::long_running_rpcs::tidy_rooms,
                Self,
                pb::rooms_server::RoomsServer<Self>,
            >(
                    &::lro_server::__private::AddTheFieldOrTheArgument::of(self).operations,
                    __request,
                    __options,
                )
                .await
        }
    "#]].assert_eq(&bodies);
}
