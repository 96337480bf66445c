"""Modbus: register exchanges and the strict link. Knows neither SunSpec nor any product."""
