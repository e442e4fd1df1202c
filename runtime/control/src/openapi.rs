//! The description of all requests for programs (OpenAPI 3.1), made of the routes and of the types that they take and give.

use super::problem::Problem;
use super::routes::{Content, ROUTES, Route};
use perigee_report::Summary;
use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

/// What the description tells beside the routes.
const ABOUT: &str = "The control socket of a run of Perigee: HTTP and JSON on a Unix socket. All counters are since the run's start; names \
    that end in _ns are nanoseconds.";

/// Codes of problems, and when they come (docs/control.md).
const PROBLEMS: &str = "What is wrong, where, and what to do: 400 no HTTP, no JSON, an unknown field, a query; 404, 405 no such path, \
    module or method; 408 no whole body in time; 409 needs a restart, or another version; 413 too large; 422 understood and refused; 503 \
    too much at a time; 504 an lcore does not answer";

/// The description as JSON.
#[must_use]
pub fn openapi() -> String {
    let generator = |contract| {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
        });
        settings.into_generator()
    };
    let (mut takes, mut gives) = (generator(Contract::Deserialize), generator(Contract::Serialize));
    let mut paths = Map::new();
    for route in ROUTES {
        let described = described(route, &mut takes, &mut gives);
        if let Some(path) = paths.entry(route.path).or_insert_with(|| json!({})).as_object_mut() {
            path.insert(route.method.to_owned(), described);
        }
    }
    // What `--json` of a run writes is not asked for here, and has the same types.
    gives.subschema_for::<Summary>();
    let mut schemas = takes.take_definitions(true);
    schemas.extend(gives.take_definitions(true));
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Perigee control",
            "version": "1",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://perigee", "description": "any name: the socket says which run it is" }],
        "paths": paths,
        "components": { "schemas": schemas },
    });
    // What has been made of text and numbers can be written.
    serde_json::to_string_pretty(&description).unwrap_or_default() + "\n"
}

fn described(route: &Route, takes: &mut SchemaGenerator, gives: &mut SchemaGenerator) -> Value {
    let good = match content(route.answer, gives) {
        Some(content) => json!({ "description": route.about, "content": content }),
        None => json!({ "description": route.about }),
    };
    let problem = json!({ "application/json": { "schema": gives.subschema_for::<Problem>() } });
    let mut described = json!({
        "operationId": route.id,
        "summary": route.about,
        "responses": {
            route.code.to_string(): good,
            "default": { "description": PROBLEMS, "content": problem },
        },
    });
    if route.path.contains("{name}") {
        described["parameters"] =
            json!([{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }]);
    }
    if let Some(content) = content(route.body, takes) {
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    described
}

fn content(of: Content, generator: &mut SchemaGenerator) -> Option<Value> {
    match of {
        Content::Nothing => None,
        Content::Json(schema) => Some(json!({ "application/json": { "schema": schema(generator) } })),
        Content::Bytes => Some(json!({ "application/octet-stream": {} })),
        Content::Text => Some(json!({ "text/plain": { "schema": { "type": "string" } } })),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::path::Path;

    /// Programs in other languages are made from the file: it is the code's.
    #[test]
    fn the_file_in_docs_is_made_of_the_code() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, openapi()).unwrap();
        }
        let known = std::fs::read_to_string(file).unwrap_or_default();
        assert!(known == openapi(), "docs/openapi.json is not what the code says; ./x bless writes it anew");
    }

    #[test]
    fn each_route_is_described_with_what_it_takes_and_gives() {
        let description: Value = serde_json::from_str(&openapi()).unwrap();
        for route in ROUTES {
            let described = &description["paths"][route.path][route.method];
            assert_eq!(described["operationId"], route.id);
            assert!(described["responses"][route.code.to_string()].is_object(), "{described}");
        }
        let stream = &description["paths"]["/v1/streams/{name}"]["post"];
        let reference = "#/components/schemas/StreamRequest";
        assert_eq!(stream["requestBody"]["content"]["application/json"]["schema"]["$ref"], reference);
        assert_eq!(description["components"]["schemas"]["StreamRequest"]["additionalProperties"], false);
        let snapshot = &description["components"]["schemas"]["Snapshot"];
        assert!(snapshot["required"].as_array().unwrap().contains(&"elapsed_ns".into()), "all of it always comes");
        assert!(snapshot["properties"]["elapsed_ns"]["description"].as_str().unwrap().contains("since the lcores"));
    }
}
