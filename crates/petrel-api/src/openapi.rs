//! The OpenAPI 3.1 document, made from the routes and the types of their bodies.
//!
//! OpenAPI 3.1 takes JSON Schema as it is, so the schemas are those that the protocol's
//! types have already (docs/decisions/0005).

use std::collections::BTreeMap;

use petrel_protocol::ErrorReason;
use petrel_protocol::http::Failure;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::route::Route;

/// What a route with a body may refuse it for.
const BODY_REASONS: &[ErrorReason] = &[
    ErrorReason::BadJson,
    ErrorReason::InvalidField,
    ErrorReason::FrameTooLarge,
    ErrorReason::UnsupportedMediaType,
];

/// What a route that wants a token may refuse it for.
const TOKEN_REASONS: &[ErrorReason] = &[
    ErrorReason::MissingToken,
    ErrorReason::InvalidToken,
    ErrorReason::TokenExpired,
    ErrorReason::LoginRevoked,
    ErrorReason::AccountDisabled,
];

/// What any route may fail with.
const SERVER_REASONS: &[ErrorReason] = &[
    ErrorReason::TooManyRequests,
    ErrorReason::InternalError,
    ErrorReason::ServerBusy,
    ErrorReason::StorageFull,
];

/// A document in the making.
pub(crate) struct Document {
    generator: SchemaGenerator,
    paths: BTreeMap<&'static str, Map<String, Value>>,
}

impl Document {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self { generator: settings.into_generator(), paths: BTreeMap::new() }
    }

    /// Adds what a route says of itself.
    pub(crate) fn add<S>(&mut self, route: &Route<S>) {
        let mut operation = json!({
            "tags": [route.tag],
            "summary": route.summary,
            "operationId": operation_id(route),
            "parameters": self.parameters(route),
            "responses": self.responses(route),
        });
        if let Some(body) = route.body {
            let schema = body(&mut self.generator);
            operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
        if let Some(content_type) = route.bytes {
            let schema = json!({ "type": "string", "format": "binary" });
            operation["requestBody"] = json!({ "content": { content_type: { "schema": schema } } });
        }
        if route.is_public {
            operation["security"] = json!([]);
        }
        let method = route.method.as_str().to_ascii_lowercase();
        let earlier = self.paths.entry(route.path).or_default().insert(method, operation);
        assert!(earlier.is_none(), "{} {} is routed twice", route.method, route.path);
    }

    /// The finished document.
    pub(crate) fn finish(mut self) -> Value {
        self.generator.subschema_for::<Failure>();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Petrel HTTP API",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "What can also be said over the WebSocket, and identity. \
                    Every answer is `{code: 0, message, data}` or `{code, reason, message, \
                    requestId}` with an honest status. Identifiers go out as strings.",
                "license": { "name": "MIT", "identifier": "MIT" },
            },
            "security": [{ "bearer": [] }],
            "paths": self.paths,
            "components": {
                "securitySchemes": {
                    "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                },
                "schemas": self.generator.take_definitions(true),
            },
        })
    }

    fn parameters<S>(&mut self, route: &Route<S>) -> Vec<Value> {
        let mut parameters: Vec<Value> = path_parameters(route.path)
            .map(|name| {
                json!({
                    "name": name,
                    "in": "path",
                    "required": true,
                    "schema": { "type": "string", "pattern": "^[0-9]{1,19}$" },
                })
            })
            .collect();
        if let Some(query) = route.query {
            // The fields of the type, as they are the parameters themselves.
            let reference = query(&mut self.generator);
            let name = reference.get("$ref").and_then(Value::as_str).unwrap_or_default();
            let name = name.rsplit('/').next().unwrap_or_default();
            let schema = self.generator.definitions().get(name).cloned().unwrap_or_default();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                let description = schema["description"].clone();
                parameters.push(json!({
                    "name": name, "in": "query", "description": description, "schema": schema,
                }));
            }
        }
        for header in route.headers {
            parameters.push(json!({
                "name": header.name,
                "in": "header",
                "required": header.is_required,
                "description": header.meaning,
                "schema": { "type": "string", "pattern": header.pattern },
            }));
        }
        parameters
    }

    fn responses<S>(&mut self, route: &Route<S>) -> Map<String, Value> {
        let mut responses = Map::new();
        if let Some(data) = route.data {
            let schema = json!({
                "type": "object",
                "required": ["code", "message", "data"],
                "properties": {
                    "code": { "const": 0 },
                    "message": { "const": "ok" },
                    "data": data(&mut self.generator),
                },
            });
            let content = json!({ "application/json": { "schema": schema } });
            responses
                .insert("200".to_owned(), json!({ "description": "Done.", "content": content }));
        }
        for outcome in route.outcomes {
            let mut response = json!({ "description": outcome.meaning });
            if outcome.has_bytes {
                let schema = json!({ "type": "string", "format": "binary" });
                response["content"] = json!({ "*/*": { "schema": schema } });
            }
            for name in outcome.headers {
                response["headers"][name] = json!({ "schema": { "type": "string" } });
            }
            responses.insert(outcome.status.to_string(), response);
        }
        let failure = self.generator.subschema_for::<Failure>();
        for (status, meanings) in meanings(route) {
            let content = json!({ "application/json": { "schema": failure } });
            let description = meanings.join("\n");
            responses.insert(
                status.to_string(),
                json!({ "description": description, "content": content }),
            );
        }
        responses
    }
}

/// The reasons of a route by their status, each in words.
fn meanings<S>(route: &Route<S>) -> BTreeMap<u16, Vec<String>> {
    let body = if route.body.is_some() { BODY_REASONS } else { &[] };
    let token = if route.is_public { &[] } else { TOKEN_REASONS };
    let place: &[_] = if route.query.is_some() || route.path.contains('{') {
        &[ErrorReason::InvalidField]
    } else {
        &[]
    };
    let mut meanings: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for reason in [body, token, place, route.reasons, SERVER_REASONS].into_iter().flatten() {
        let line = format!("- `{reason}`: {}", reason.meaning());
        let lines = meanings.entry(reason.http_status()).or_default();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    meanings
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// A name for generated clients, as `putGroupsMembersRole`.
fn operation_id<S>(route: &Route<S>) -> String {
    let mut id = route.method.as_str().to_ascii_lowercase();
    let parts = route.path.split('/').filter(|part| !part.is_empty() && *part != "api");
    for part in parts.filter(|part| !part.starts_with('{')) {
        let (first, rest) = part.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    if route.path.ends_with('}') {
        id.push_str("One");
    }
    id
}
