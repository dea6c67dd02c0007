//! Reading everything that a start is judged by.
//!
//! Which reads there are is fixed; what they mean is the core's matter. The first that gets no
//! answer ends the survey: half a picture is none.

use std::collections::{BTreeMap, BTreeSet};

use rehome_core::call::Call;
use rehome_core::fault::CallError;
use rehome_core::names::InstanceId;
use rehome_core::preflight::{Order, Snapshot, doubts, targets, telling, vpc};
use rehome_core::record::Record;
use rehome_core::spec::Parts;
use rehome_core::world::{Image, Instance};

use crate::aws::client::Aws;
use crate::aws::imds;

/// Reads the account as it concerns `order`.
///
/// # Errors
/// The first read that brought nothing.
pub(crate) async fn survey(
    aws: &Aws,
    order: &Order,
    known: Option<&Record>,
) -> Result<Snapshot, CallError> {
    let caller = aws.caller().await?;
    let own_instance = imds::own_instance().await;
    let mut instances = BTreeMap::new();
    let named = [Some(&order.instance), own_instance.as_ref()];
    let remembered = known.map(|record| &record.holder.instance);
    let ids: BTreeSet<InstanceId> =
        named.into_iter().chain([remembered]).flatten().cloned().collect();
    read(aws, ids, &mut instances).await?;
    let address = order.vip.address.to_string();
    let tagged = aws.instances_by_tag(None, "rehome:vip", &address).await?;
    instances.extend(tagged.into_iter().map(|instance| (instance.id.clone(), instance)));

    let vpc = vpc(order, known, &instances);
    let mut snapshot = Snapshot {
        caller,
        vpc: vpc.clone(),
        vpc_cidrs: Vec::new(),
        instances,
        subnets: Vec::new(),
        zones: aws.zones().await?,
        tables: Vec::new(),
        groups: aws.groups(&order.wishes.groups).await?,
        key_exists: match &order.wishes.key {
            Some(key) => aws.key_exists(key).await?,
            None => true,
        },
        parts: Parts::default(),
        own_instance,
    };
    if let Some(vpc) = &vpc {
        snapshot.vpc_cidrs = aws.vpc_cidrs(vpc).await?;
        snapshot.subnets = aws.subnets(vpc).await?;
        snapshot.tables = aws.tables(vpc).await?;
        let targets = targets(&snapshot.tables, order);
        read(aws, targets, &mut snapshot.instances).await?;
    }
    let holder = telling(order, known, &snapshot.instances, &snapshot.tables).cloned();
    let image = image(aws, order, holder.as_ref()).await?;
    snapshot.parts = Parts { image, ..parts(aws, holder.as_ref()).await? };
    let own = snapshot.own_instance.as_ref().and_then(|id| snapshot.instances.get(id));
    try_reads(aws, &doubts(order, holder.as_ref(), known, own)).await?;
    Ok(snapshot)
}

/// What [`doubts`] names. Only a clear no counts: what can't be read for the moment is not needed
/// yet.
async fn try_reads(aws: &Aws, doubts: &[Call]) -> Result<(), CallError> {
    for call in doubts {
        match aws.call(call, None).await {
            Err(error) if error.is_definite() => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Reads those of `ids` that aren't there yet; ones that AWS doesn't know stay absent.
pub(crate) async fn read(
    aws: &Aws,
    ids: BTreeSet<InstanceId>,
    into: &mut BTreeMap<InstanceId, Instance>,
) -> Result<(), CallError> {
    let missing: Vec<InstanceId> = ids.into_iter().filter(|id| !into.contains_key(id)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let found = aws.instances_by_ids(&missing).await?;
    into.extend(found.into_iter().map(|instance| (instance.id.clone(), instance)));
    Ok(())
}

/// The image of a replacement.
pub(crate) async fn image(
    aws: &Aws,
    order: &Order,
    holder: Option<&Instance>,
) -> Result<Option<Image>, CallError> {
    let own_image = holder.and_then(|holder| holder.image.as_ref());
    match order.wishes.image.as_ref().or(own_image) {
        Some(image) => aws.image(image).await,
        None => Ok(None),
    }
}

/// What else the launch spec is built from.
pub(crate) async fn parts(aws: &Aws, holder: Option<&Instance>) -> Result<Parts, CallError> {
    let Some(holder) = holder else { return Ok(Parts::default()) };
    let volumes: Vec<String> =
        holder.volumes.iter().map(|attached| attached.volume.clone()).collect();
    let volumes = if volumes.is_empty() { Vec::new() } else { aws.volumes(&volumes).await? };
    let placement_strategy = match &holder.placement.group {
        Some(group) => aws.placement_strategy(group).await?,
        None => None,
    };
    let spot_kind = match &holder.spot_request {
        Some(request) => aws.spot_kind(request).await?,
        None => None,
    };
    let instance_store = match &holder.instance_type {
        Some(kind) => aws.has_instance_store(kind).await?,
        None => false,
    };
    Ok(Parts {
        placement_strategy,
        instance_store,
        spot_kind,
        image: None,
        volumes,
        credits: aws.credits(&holder.id).await?,
        shutdown_behavior: aws.shutdown_behavior(&holder.id).await?,
    })
}
