"""Vendors of OpenAI's wire, each a row of data in TOML."""

from pydantic import Field

from aiservice.kit.clock import iso
from aiservice.management.models import At, Given, Page, PageQuery, Told
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.vendors import VendorView


class NewVendor(Given):
    text: str = Field(min_length=1, max_length=100_000, description="The row, in TOML.")
    replaces: bool = Field(default=False, description="In the place of the stored one of its kind.")


class VendorTold(Told):
    kind: str
    title: str
    base_url: str
    text: str
    built_in: bool
    connections: list[str]
    problem: str | None
    changed_at: At | None


async def list_all(call: Call, query: PageQuery) -> Page[VendorTold]:
    data, cursor = page_of(await call.core.vendors.list(call.me), lambda one: (one.kind,), query, "vendors")
    return Page[VendorTold](data=[_told(one) for one in data], next_cursor=cursor)


async def add(call: Call, given: NewVendor) -> VendorTold:
    return _told(await call.core.vendors.add(call.me, given.text, replaces=given.replaces))


async def get(call: Call) -> VendorTold:
    return _told(await call.core.vendors.find(call.me, call.args["kind"]))


async def remove(call: Call) -> None:
    await call.core.vendors.remove(call.me, call.args["kind"])


def _told(one: VendorView) -> VendorTold:
    return VendorTold(
        kind=one.kind,
        title=one.title,
        base_url=one.base_url,
        text=one.text,
        built_in=one.is_built_in,
        connections=list(one.connections),
        problem=one.problem or None,
        changed_at=iso(one.changed_us or None),
    )


ROWS = (
    Row("GET", "/api/vendors", "vendor.list", list_all, "Vendors of OpenAI's wire, by kind"),
    Row("POST", "/api/vendors", "vendor.add", add, "Add a vendor, or replace one", status=201),
    Row("GET", "/api/vendors/{kind}", "vendor.list", get, "One vendor"),
    Row("DELETE", "/api/vendors/{kind}", "vendor.remove", remove, "Remove a vendor that nothing uses", status=204),
)
