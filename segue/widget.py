"""The widget's API put together: sites as the settings have them, the brand, the store behind it."""

from __future__ import annotations

from connectors.contract import Door, Feed
from connectors.media import MediaFolder
from connectors.sealing import Seals
from connectors.webchat import Brand, Links, Parts, Webchat
from connectors.webchat import Site as ShownSite
from connectors.webchat.limits import networks
from connectors.webchat.ports import FormField
from router.store import Store
from router.visits import NoLimits, StoredLimits, StoredVisits
from segue.look import Look
from segue.settings import Settings, Site


def widget(
    settings: Settings,
    brand: Brand,
    keys: list[bytes],
    door: Door,
    feed: Feed,
    store: Store,
    links: Links | None = None,
) -> Webchat:
    seals = Seals(keys)
    return Webchat(
        Parts(
            door=door,
            feed=feed,
            visits=StoredVisits(store, seals.digest, settings.privacy.masks()),
            limits=StoredLimits(store, seals.digest) if settings.server.rate_limits else NoLimits(),
            media=MediaFolder(settings.data_dir / "media"),
            seals=seals,
            sites={key: _shown(site, settings.widget) for key, site in settings.shown_sites().items()},
            brand=brand,
            proxies=networks(settings.server.trusted_proxies),
            links=links,
        )
    )


def _shown(site: Site, general: Look) -> ShownSite:
    """A site's own look goes before the general one."""
    color = site.color if site.color is not None else general.color
    notice = site.notice or general.notice
    form = site.form if site.form is not None else general.form
    reply_time = site.reply_time or general.reply_time
    upload = site.upload if site.upload is not None else general.upload
    return ShownSite(
        locale=site.locale,
        identity_secrets=tuple(secret.get_secret_value() for secret in site.identity_secrets),
        enforce=site.enforce,
        color=color or "",
        notice=notice.text.by_language() if notice else {},
        notice_url=notice.url if notice else "",
        must_accept=bool(notice and notice.must_accept),
        form=tuple(
            FormField(question.key, question.label.by_language(), question.type, question.required, question.options)
            for question in form or ()
        ),
        reply_time=reply_time.by_language() if reply_time else {},
        upload=upload is not False,
    )
