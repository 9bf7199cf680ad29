//! A route and what is to be known about it, said in one place: so that the OpenAPI
//! document can't tell of a route that is not there, nor be silent about one that is.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use petrel_protocol::ErrorReason;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::Api;
use crate::openapi::Document;
use crate::read_out::read_out;

/// Makes the schema of a type.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One method of one path.
pub(crate) struct Route<S = Api> {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) body: Option<SchemaOf>,
    pub(crate) data: Option<SchemaOf>,
    /// It takes the bytes of a file, of this content type.
    pub(crate) bytes: Option<&'static str>,
    pub(crate) headers: &'static [Header],
    pub(crate) outcomes: &'static [Outcome],
    pub(crate) reasons: &'static [ErrorReason],
    pub(crate) is_public: bool,
    handler: MethodRouter<S>,
}

/// A header that a route reads.
pub(crate) struct Header {
    pub(crate) name: &'static str,
    pub(crate) is_required: bool,
    /// A pattern that its value has.
    pub(crate) pattern: &'static str,
    pub(crate) meaning: &'static str,
}

/// A way to succeed without a body in JSON.
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) meaning: &'static str,
    pub(crate) has_bytes: bool,
    /// The headers that say more.
    pub(crate) headers: &'static [&'static str],
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A route that is handled by `handler`, under a heading.
    pub(crate) fn new<H, T>(
        method: Method,
        path: &'static str,
        tag: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a common method");
        Self {
            method,
            path,
            tag,
            summary,
            query: None,
            body: None,
            data: None,
            bytes: None,
            headers: &[],
            outcomes: &[],
            reasons: &[],
            is_public: false,
            handler: on(filter, handler),
        }
    }

    /// It takes these parameters in the query.
    pub(crate) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// It takes this body.
    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// It takes a body of bytes, which is read to its end also when it is refused.
    pub(crate) fn bytes(self, content_type: &'static str) -> Self {
        let handler = self.handler.layer(middleware::from_fn(read_out));
        Self { bytes: Some(content_type), handler, ..self }
    }

    /// It reads these headers.
    pub(crate) fn headers(self, headers: &'static [Header]) -> Self {
        Self { headers, ..self }
    }

    /// It has these outcomes without a body in JSON.
    pub(crate) fn outcomes(self, outcomes: &'static [Outcome]) -> Self {
        Self { outcomes, ..self }
    }

    /// Does this with each answer, refusals included.
    pub(crate) fn with_answers<F>(self, change: F) -> Self
    where
        F: FnMut(Response) -> Response + Clone + Send + Sync + 'static,
    {
        let change = middleware::map_response(move |answer: Response| {
            let answer = change.clone()(answer);
            async move { answer }
        });
        Self { handler: self.handler.layer(change), ..self }
    }

    /// It answers with this.
    pub(crate) fn data<T: JsonSchema>(self) -> Self {
        Self { data: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// It refuses for these reasons, beside those that all routes of its kind have.
    pub(crate) fn reasons(self, reasons: &'static [ErrorReason]) -> Self {
        Self { reasons, ..self }
    }

    /// It takes no token.
    pub(crate) fn public(self) -> Self {
        Self { is_public: true, ..self }
    }
}

/// Adds routes to a router and to the document.
pub(crate) fn add<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    document: &mut Document,
    routes: impl IntoIterator<Item = Route<S>>,
) -> Router<S> {
    routes.into_iter().fold(router, |router, route| {
        document.add(&route);
        router.route(route.path, route.handler)
    })
}
