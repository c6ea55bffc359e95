//! A JSON value as an argument of whatever type its parameter has.

use std::error::Error;

use bytes::BytesMut;
use serde_json::Value;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};

/// An argument, sent as text: PostgreSQL reads it as the type of the parameter.
#[derive(Debug)]
pub(super) struct Argument(pub(super) Value);

impl ToSql for Argument {
    fn to_sql(&self, parameter: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if self.0.is_null() {
            return Ok(IsNull::Yes);
        }
        out.extend_from_slice(text_of(&self.0, parameter).as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn text_of(value: &Value, parameter: &Type) -> String {
    if matches!(*parameter, Type::JSON | Type::JSONB) {
        return value.to_string();
    }
    match (value, parameter.kind()) {
        (Value::String(text), _) => text.clone(),
        (Value::Array(items), Kind::Array(member)) => array(items, member),
        // JSON writes numbers and truth values as PostgreSQL reads them. An object, or an array that meets no array, is
        // JSON in a text.
        _ => value.to_string(),
    }
}

/// An array as PostgreSQL writes it: `{"a","b",NULL}`. Inner arrays are further dimensions.
fn array(items: &[Value], member: &Type) -> String {
    let is_json = matches!(*member, Type::JSON | Type::JSONB);
    let items: Vec<_> = items
        .iter()
        .map(|item| match item {
            Value::Null => "NULL".to_owned(),
            Value::Array(items) if !is_json => array(items, member),
            item => format!("\"{}\"", text_of(item, member).replace('\\', "\\\\").replace('"', "\\\"")),
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_written_as_its_parameter_reads_it() {
        let cases = [
            (json!("it's"), Type::TEXT, "it's"),
            (json!(1.5), Type::NUMERIC, "1.5"),
            (json!(true), Type::BOOL, "true"),
            (json!("text"), Type::JSONB, "\"text\""),
            (json!({"a": 1}), Type::TEXT, "{\"a\":1}"),
            (json!([1, null, 2]), Type::INT4_ARRAY, "{\"1\",NULL,\"2\"}"),
            (json!([[1], [2]]), Type::INT4_ARRAY, "{{\"1\"},{\"2\"}}"),
            (json!(["a,\"b\"", "\\"]), Type::TEXT_ARRAY, "{\"a,\\\"b\\\"\",\"\\\\\"}"),
            (json!([{"a": "b"}]), Type::JSONB_ARRAY, "{\"{\\\"a\\\":\\\"b\\\"}\"}"),
            (json!([1]), Type::JSON, "[1]"),
        ];
        for (value, parameter, text) in cases {
            assert_eq!(text_of(&value, &parameter), text);
        }
    }
}
