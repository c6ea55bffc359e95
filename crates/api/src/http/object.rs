//! Objects that must be objects.

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// A struct that is read from a JSON object alone. By itself serde also takes an array of the fields' values, in an
/// order that nobody published.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(MapOnly(deserializer)).map(Self)
    }
}

/// Offers a struct nothing but a map.
struct MapOnly<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for MapOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(expecting = "an object")]
    struct Pair {
        #[allow(dead_code)] // only read by serde
        a: u8,
        b: Option<Object<Box<Pair>>>,
    }

    fn read(json: &str) -> Result<Object<Pair>, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(read(r#"{"a": 1, "b": {"a": 2}}"#).unwrap().0.b.is_some());
        assert!(read("[1, null]").unwrap_err().starts_with("invalid type: sequence, expected an object"));
        assert!(read(r#"{"a": 1, "b": [2, null]}"#).unwrap_err().starts_with("invalid type: sequence"));
    }
}
