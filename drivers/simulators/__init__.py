"""Device simulators: worlds on real TCP sockets, in their own processes, with physics and faults on demand.

They stand on the far side of the wire. They must not know the driver: no decoder, link or profile is shared with it, so
that one mistake cannot sit on both sides and cancel out.

Read in this order. The wire: clock, modbus_frames, faults, write_log, device, responder, loopback, modbus_server,
control. The battery: registers, sunspec_layout, curve_layout, adoption, curves, trips, reversion, physics, own_mode,
enter_service, battery_controls, battery_points, settings, battery_inverter. The charger: ev_physics, ev_charger. The
meter: neighbours, site_meter. The whole: running, command.
"""
