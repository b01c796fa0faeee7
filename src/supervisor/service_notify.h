/* Telling a service manager how it stands, as systemd has it: datagrams to the socket that
 * NOTIFY_SOCKET names. */
#pragma once

/* Takes the socket's name out of the environment: it is not for components. Nothing is kept when
 * there is none. Once, before the first tell. */
void service_notify_take(void);
/* "READY=1", "STOPPING=1", ... Nobody asked, or nobody listens any more: nothing happens. */
void service_notify_tell(const char *state);
