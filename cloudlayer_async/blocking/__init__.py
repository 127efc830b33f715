"""The blocking client: `Cloudlayer`, and `Conversion` and `Batch`, its handles. Import them from `cloudlayer_async`."""
