//! Writing EC2's XML: elements, lists, times, and the envelopes of answers and errors.
//!
//! [`answers`](super::answers) fills an [`Xml`] with what one response holds. Element names are
//! those of AWS's own service model (botocore's `ec2/2016-11-15/service-2.json`, `locationName`).
//! Pure; an [`Xml`] lives for one answer.

use std::fmt::{Display, Write as _};

use ec2_model::{ApiError, Timestamp};
use quick_xml::escape::escape;

use super::credential::Service;

/// The first line of every answer.
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A document in the making.
#[derive(Debug, Default)]
pub(super) struct Xml {
    text: String,
}

impl Xml {
    /// `<name>value</name>`.
    pub(super) fn leaf(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        write!(self.text, "<{name}>{}</{name}>", escape(value.as_str()))
            .expect("writing to a string can't fail");
    }

    /// `<name>value</name>`, or nothing.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }

    /// `<name>…</name>` around what `inside` writes.
    pub(super) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Xml)) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// `<name><item>…</item>…</name>`; EC2 sends empty lists as empty elements.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Xml, T),
    ) {
        self.element(name, |xml| {
            for item in items {
                xml.element("item", |xml| each(xml, item));
            }
        });
    }

    /// A date, cut to whole seconds as EC2 does it.
    pub(super) fn time(&mut self, name: &str, at: Timestamp) {
        self.leaf(name, seconds(at));
    }

    /// A date, or nothing.
    pub(super) fn maybe_time(&mut self, name: &str, at: Option<Timestamp>) {
        self.maybe(name, at.map(seconds));
    }

    /// `<name><inner>value</inner></name>`.
    pub(super) fn nested(&mut self, name: &str, inner: &str, value: impl Display) {
        self.element(name, |xml| xml.leaf(inner, value));
    }
}

/// EC2 tells times by the second: `2026-11-22T16:15:30.000Z`.
fn seconds(at: Timestamp) -> Timestamp {
    Timestamp(at.0 / 1000 * 1000)
}

fn namespace(service: Service) -> &'static str {
    match service {
        Service::Ec2 => EC2_NAMESPACE,
        Service::Sts => STS_NAMESPACE,
        Service::Iam => IAM_NAMESPACE,
    }
}

/// The whole answer of an EC2 action, around its body.
pub(super) fn ec2_answer(action: &str, request_id: &str, body: Xml) -> String {
    format!(
        "{HEAD}<{action}Response xmlns=\"{EC2_NAMESPACE}\"><requestId>{request_id}</requestId>{}\
         </{action}Response>",
        body.text
    )
}

/// The whole answer of an action of STS or IAM, around its body.
pub(super) fn query_answer(service: Service, action: &str, request_id: &str, body: Xml) -> String {
    let namespace = namespace(service);
    format!(
        "{HEAD}<{action}Response xmlns=\"{namespace}\"><{action}Result>{}</{action}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </{action}Response>",
        body.text
    )
}

/// An error, in the shape that the service's clients parse.
pub(super) fn error(service: Service, request_id: &str, error: &ApiError) -> String {
    let code = escape(error.code.as_str());
    let message = escape(error.message.as_str());
    match service {
        Service::Ec2 => format!(
            "{HEAD}<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>\
             </Error></Errors><RequestID>{request_id}</RequestID></Response>"
        ),
        Service::Sts | Service::Iam => {
            let namespace = namespace(service);
            let side = if error.status < 500 { "Sender" } else { "Receiver" };
            format!(
                "{HEAD}<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{side}</Type>\
                 <Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_lists_hold_items() {
        let mut xml = Xml::default();
        xml.list("tagSet", ["a<b", "\"c\" & d"], |xml, value| {
            xml.leaf("value", value);
        });
        xml.list("groupSet", [(); 0], |_, ()| {});
        assert_eq!(
            xml.text,
            "<tagSet><item><value>a&lt;b</value></item>\
             <item><value>&quot;c&quot; &amp; d</value></item></tagSet><groupSet></groupSet>"
        );
    }

    #[test]
    fn dates_are_cut_to_whole_seconds() {
        let mut xml = Xml::default();
        xml.time("launchTime", Timestamp(1_795_364_130_999));
        xml.maybe_time("notAfter", None);
        assert_eq!(xml.text, "<launchTime>2026-11-22T16:15:30.000Z</launchTime>");
    }

    #[test]
    fn errors_have_the_shape_of_their_service() {
        let refusal = ApiError {
            code: "InvalidAction".to_owned(),
            message: "The action <X> is not valid for this web service.".to_owned(),
            status: 400,
        };
        assert_eq!(
            error(Service::Ec2, "r-1", &refusal),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
             <Code>InvalidAction</Code><Message>The action &lt;X&gt; is not valid for this web \
             service.</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
        );
        assert_eq!(
            error(Service::Sts, "r-1", &refusal),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse \
             xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>InvalidAction</Code><Message>The action &lt;X&gt; is not valid for this web \
             service.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
        );
    }
}
