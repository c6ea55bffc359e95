//! Query parameters: all that is wrong is told at once, by name.

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::ops::RangeInclusive;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use horarium_domain::Timestamp;
use horarium_domain::page::PageRequest;
use horarium_scheduler_engine::service::FieldErrors;
use utoipa::IntoParams;
use uuid::Uuid;

use super::ApiError;

/// What a route reads from its query.
pub(crate) trait FromQuery: Sized {
    /// Takes the fields, noting what is wrong with them.
    fn from_query(fields: &mut QueryFields<'_>) -> Self;
}

/// `pageNumber` and `pageSize`, as the OpenAPI document tells of them; they are read as a [`PageRequest`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[allow(dead_code)] // describes what is read
pub(crate) struct Paging {
    /// The page, counted from 1.
    #[param(inline, minimum = 1, maximum = 2_147_483_647, default = 1, required = false)]
    page_number: u32,
    /// Items per page.
    #[param(inline, minimum = 1, maximum = 200, default = 20, required = false)]
    page_size: u32,
}

impl FromQuery for PageRequest {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        fields.page()
    }
}

/// Where a page of a list by name begins, and how long it is. Unless a caller says so, the list is one page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ByName {
    /// What the page before names as the next cursor.
    pub(crate) cursor: Option<String>,
    /// Items per page.
    #[param(inline, minimum = 1, maximum = 1000, default = 1000, required = false)]
    pub(crate) limit: usize,
}

impl ByName {
    const MAX_LIMIT: usize = 1000;
}

impl FromQuery for ByName {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self {
            cursor: fields.text("cursor"),
            limit: fields.number("limit", 1..=Self::MAX_LIMIT).unwrap_or(Self::MAX_LIMIT),
        }
    }
}

/// The query of a request, read and checked.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: FromQuery> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(req.query_string()).map(Self))
    }
}

fn read<T: FromQuery>(query: &str) -> Result<T, ApiError> {
    let pairs = web::Query::<Vec<(Cow<'_, str>, Cow<'_, str>)>>::from_query(query)
        .map_err(|_| ApiError::bad_request("The query string cannot be read."))?
        .into_inner();
    let mut fields = QueryFields { pairs, errors: FieldErrors::default() };
    let value = T::from_query(&mut fields);
    if fields.errors.is_empty() { Ok(value) } else { Err(ApiError::invalid(fields.errors)) }
}

/// The fields of a query. Those that nobody asks for are ignored; one that is sent empty counts as not sent.
pub(crate) struct QueryFields<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    errors: FieldErrors,
}

impl QueryFields<'_> {
    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, |text| Ok(text.to_owned()))
    }

    /// A value of one of these names, in any case.
    pub(crate) fn one_of<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        self.read(name, |text| {
            choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(text)).map(|(_, value)| *value).ok_or_else(
                || {
                    let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
                    format!("must be one of {}", names.join(", "))
                },
            )
        })
    }

    /// A whole number between bounds, both included.
    pub(crate) fn number<T>(&mut self, name: &str, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        self.read(name, |text| {
            text.parse()
                .ok()
                .filter(|number| bounds.contains(number))
                .ok_or_else(|| format!("must be a whole number between {} and {}", bounds.start(), bounds.end()))
        })
    }

    /// An instant.
    pub(crate) fn instant(&mut self, name: &str) -> Option<Timestamp> {
        self.read(name, |text| text.parse::<Timestamp>().map_err(|error| error.to_string()))
    }

    /// An id.
    pub(crate) fn uuid(&mut self, name: &str) -> Option<Uuid> {
        self.read(name, |text| Uuid::try_parse(text).map_err(|_| "must be a UUID".to_owned()))
    }

    /// `true` or `false`, which may also be written `1` or `0`.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        self.one_of(name, &[("true", true), ("false", false), ("1", true), ("0", false)])
    }

    /// `pageNumber` and `pageSize`.
    pub(crate) fn page(&mut self) -> PageRequest {
        let default = PageRequest::default();
        PageRequest {
            number: self.number("pageNumber", 1..=i32::MAX.unsigned_abs()).unwrap_or(default.number),
            size: self.number("pageSize", 1..=PageRequest::MAX_SIZE).unwrap_or(default.size),
        }
    }

    /// Notes a problem with a field.
    pub(crate) fn problem(&mut self, name: &str, problem: &str) {
        self.errors.add(name, problem);
    }

    fn read<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let mut given = self.pairs.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_ref());
        let value = given.next().filter(|value| !value.is_empty());
        let result = if given.next().is_some() {
            Err("is given more than once".to_owned())
        } else if value.is_some_and(|value| value.contains('\0')) {
            Err("must not hold the character U+0000".to_owned())
        } else {
            value.map(read).transpose()
        };
        result.map_err(|problem| self.errors.add(name, problem)).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Sample {
        page: PageRequest,
        state: Option<u8>,
        from: Option<Timestamp>,
        text: Option<String>,
    }

    impl FromQuery for Sample {
        fn from_query(fields: &mut QueryFields<'_>) -> Self {
            Self {
                page: fields.page(),
                state: fields.one_of("status", &[("Failed", 1), ("Running", 2)]),
                from: fields.instant("fromDate"),
                text: fields.text("search"),
            }
        }
    }

    #[test]
    fn values_are_read_and_what_is_empty_or_unknown_counts_as_not_sent() {
        let sample: Sample = read("pageNumber=3&status=failed&fromDate=&search=a%20b+c&other=1").unwrap();
        assert_eq!(sample.page, PageRequest { number: 3, size: 20 });
        assert_eq!((sample.state, sample.from, sample.text.as_deref()), (Some(1), None, Some("a b c")));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let error = read::<Sample>("pageNumber=0&pageSize=201&status=Lost&fromDate=2025-07-10T14:50:00&search=%00")
            .unwrap_err();
        let told: Vec<_> = error.errors().iter().map(|(field, problems)| format!("{field} {}", problems[0])).collect();
        assert_eq!(
            told,
            [
                "fromDate '2025-07-10T14:50:00' is not an RFC 3339 date and time with an offset, such as \
                 2025-07-10T14:50:00Z",
                "pageNumber must be a whole number between 1 and 2147483647",
                "pageSize must be a whole number between 1 and 200",
                "search must not hold the character U+0000",
                "status must be one of Failed, Running",
            ]
        );
    }

    #[test]
    fn a_field_that_is_repeated_is_refused_rather_than_guessed() {
        assert_eq!(
            read::<Sample>("status=Failed&status=Running").unwrap_err().errors()["status"],
            ["is given more than once"]
        );
    }
}
