//! Many templates in one go, for the comparison with Jinja2: an order a line, an answer a line.

use std::io::{self, BufRead, Write};

use rehome_core::names::VpcId;
use rehome_core::net::Vip;
use rehome_core::placement::Site;
use serde::{Deserialize, Serialize};

use crate::template::{Template, Vars};

/// A template with all that it is told.
#[derive(Deserialize)]
struct Order {
    template: String,
    route_destination: String,
    site: Site,
    vpc: VpcId,
    region: String,
}

/// What it renders to, or what is wrong.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Text(String),
    Error { error: String, hint: String },
}

/// Renders every order that `orders` holds.
///
/// # Errors
/// Where an order can't be read, or an answer can't be written.
pub(crate) fn render_each(orders: impl BufRead, answers: &mut impl Write) -> io::Result<()> {
    for line in orders.lines() {
        let order: Order = serde_json::from_str(&line?)?;
        serde_json::to_writer(&mut *answers, &answer(order)?)?;
        answers.write_all(b"\n")?;
    }
    answers.flush()
}

fn answer(order: Order) -> io::Result<Answer> {
    let vip = Vip::of_destination(&order.route_destination).map_err(io::Error::other)?;
    let vars = Vars {
        route_destination: order.route_destination,
        vip,
        site: order.site,
        vpc: order.vpc,
        region: order.region,
    };
    let rendered = Template::parse("template", order.template.into_bytes())
        .and_then(|template| template.render(&vars));
    Ok(match rendered {
        Ok(text) => Answer::Text(text),
        Err(error) => Answer::Error { error: error.to_string(), hint: error.hint() },
    })
}
