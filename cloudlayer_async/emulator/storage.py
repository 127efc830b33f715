"""The endpoints for storage configurations of the user's own."""

from __future__ import annotations

import time
import uuid

from aiohttp import web

from .checks import Refusal, address, filled, record, refuse
from .intake import read_json
from .records import UserStorage
from .service import SERVICE, Service

routes = web.RouteTableDef()

_REQUEST = record(
    dict.fromkeys(("title", "region", "accessKeyId", "secretAccessKey", "bucket"), filled), {"endpoint": address}
)


def _find(service: Service, storage_id: str) -> UserStorage:
    storage = service.store.storages.get(storage_id)
    if storage is None:
        raise Refusal(400, "Storage configuration not found", "id")
    return storage


@routes.post("/{version:v[12]}/storage")
async def add_storage(request: web.Request) -> web.Response:
    """Add a configuration, where the plan allows it."""
    service = request.app[SERVICE]
    body = await read_json(request, service.settings)
    if not service.settings.user_storage:
        refusal = {"allowed": False, "reason": "Custom storage is not part of this plan.", "statusCode": 403}
        return web.json_response(refusal)
    try:
        _REQUEST(body, "body")
    except Refusal as refusal_of_value:
        name = (refusal_of_value.field or "").removeprefix("body.")
        raise refuse(refusal_of_value.message.replace("body.", ""), name) from None
    storages = service.store.storages
    if any(storage.title == body["title"] for storage in storages.values()):
        raise refuse("title is taken by another storage configuration", "title")
    if service.dialect.storage_create == "error-200":
        return web.json_response({"status": "error"})
    storage = UserStorage(
        id=str(uuid.uuid4()),
        title=body["title"],
        region=body["region"],
        bucket=body["bucket"],
        access_key_id=body["accessKeyId"],
        secret_access_key=body["secretAccessKey"],
        endpoint=body.get("endpoint"),
        created=time.time(),
    )
    storages[storage.id] = storage
    service.feed.publish("storage", storage.id)
    status = 200 if service.dialect.success_codes == "200" else 201
    return web.json_response(service.shapes.storage_created(storage), status=status)


@routes.get("/{version:v[12]}/storage")
async def list_storage(request: web.Request) -> web.Response:
    """All configurations, or the single one there can be."""
    service = request.app[SERVICE]
    storages = list(service.store.storages.values())
    if service.dialect.storage_single and storages:
        return web.json_response(service.shapes.storage_detail(storages[-1]))
    return web.json_response([service.shapes.storage_item(storage) for storage in storages])


@routes.get("/{version:v[12]}/storage/{id}")
async def get_storage(request: web.Request) -> web.Response:
    """One configuration."""
    service = request.app[SERVICE]
    return web.json_response(service.shapes.storage_detail(_find(service, request.match_info["id"])))


@routes.delete("/{version:v[12]}/storage/{id}")
async def delete_storage(request: web.Request) -> web.Response:
    """Delete a configuration."""
    service = request.app[SERVICE]
    try:
        storage = _find(service, request.match_info["id"])
    except Refusal as refusal:
        if service.dialect.storage_delete == "error-200":
            return web.json_response({"status": "error", "message": refusal.message})
        raise
    return _deleted(service, storage)


@routes.delete("/{version:v[12]}/storage")
async def delete_single_storage(request: web.Request) -> web.Response:
    """Delete the single configuration, where the dialect has only one."""
    service = request.app[SERVICE]
    storages = list(service.store.storages.values())
    if not service.dialect.storage_single or not storages:
        raise Refusal(404, f"Cannot {request.method} {request.path}")
    return _deleted(service, storages[-1])


def _deleted(service: Service, storage: UserStorage) -> web.Response:
    del service.store.storages[storage.id]
    service.feed.publish("storage", storage.id)
    if service.dialect.storage_delete == "empty":
        return web.Response(status=204)
    return web.json_response({"status": "success"})
