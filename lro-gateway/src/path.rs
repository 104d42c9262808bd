//! The path of a request, before it is decoded.

/// The segments of a request's path, raw.
#[derive(Debug)]
pub(crate) struct Path<'p> {
    pub(crate) whole: Vec<&'p str>,
    /// Without what follows the last colon of the last segment, and that.
    pub(crate) with_verb: Option<(Vec<&'p str>, &'p str)>,
}

impl<'p> Path<'p> {
    /// Splits a path that begins with a slash, before anything is decoded. `None` for another one.
    pub(crate) fn new(path: &'p str) -> Option<Self> {
        let whole: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let with_verb = whole.split_last().and_then(|(last, before)| {
            let (last, verb) = last.rsplit_once(':')?;
            let mut stripped = before.to_vec();
            stripped.push(last);
            (!verb.is_empty()).then_some((stripped, verb))
        });
        Some(Self { whole, with_verb })
    }

    /// The raw segments.
    pub(crate) fn segments(&self) -> &[&'p str] {
        &self.whole
    }
}
