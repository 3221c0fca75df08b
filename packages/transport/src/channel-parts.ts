import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { systemClock } from "@homcc/observability/clock";
import { type Frame, frameHeaderBytes, frameTypes } from "@homcc/protocol/frame";
import type { IncomingSchema } from "@homcc/protocol/message-codec";
import type { Schema } from "@homcc/protocol/schema";
import type { ChannelOptions, Role } from "./channel-options.ts";
import { ConnectionEnd } from "./connection-end.ts";
import { DataCompression } from "./data-compression.ts";
import { DataSender } from "./data-sender.ts";
import { DrainNotice } from "./drain-notice.ts";
import { FrameSender } from "./frame-sender.ts";
import { busyPace, Heartbeat, idleServerPace } from "./heartbeat.ts";
import { InboundStreams } from "./inbound-streams.ts";
import { Inbox } from "./inbox.ts";
import { MessageBudget } from "./message-budget.ts";
import { MessageReader } from "./message-reader.ts";
import { MessageWriter } from "./message-writer.ts";
import { SilenceProbe } from "./silence-probe.ts";
import { systemTimers } from "./timers.ts";

/** What one end of a connection is made of. */
export interface ChannelParts<Outgoing, Incoming> {
  readonly end: ConnectionEnd;
  readonly sender: FrameSender;
  readonly silence: SilenceProbe;
  readonly inbox: Inbox;
  readonly streams: InboundStreams<Incoming>;
  readonly writer: MessageWriter<Outgoing>;
  readonly compression: DataCompression;
  readonly data: DataSender;
  readonly drain: DrainNotice;
}

/** What travels: the messages of this end, and those of the peer. */
export interface Schemas<Outgoing, Incoming> {
  readonly outgoing: Schema<Outgoing>;
  readonly incoming: IncomingSchema<Incoming>;
}

/**
 * When the kernel asks an idle peer for a sign of life; it asks ten times, a second apart (libuv's choice). The agent's
 * end keeps routers from forgetting the connection, which cheap ones do after 30 s, without waking the agent.
 */
const keepAliveMs = { client: 25_000, server: 60_000 } as const;

/** Makes them and has them tell each other what happens. Nothing is read before the inbox is started. */
export function connectParts<Outgoing, Incoming>(
  role: Role,
  socket: Duplex,
  schemas: Schemas<Outgoing, Incoming>,
  options: ChannelOptions,
): ChannelParts<Outgoing, Incoming> {
  const { peer, agreement, clock = systemClock, timers = systemTimers } = options;
  const end = new ConnectionEnd({
    role,
    peer,
    socket,
    carrier: carrierOf(role, socket, options),
    timers,
    farewell: agreement.farewell,
    sendLast: (frame) => sender.pushLast(frame),
    stop: () => {
      heartbeat.stop();
      silence.stop();
      sender.stop();
    },
    ended: (reason) => streams.closeAll(reason),
  });
  const sender = new FrameSender(socket, {
    role,
    peer,
    clock,
    timers,
    roundTripMs: options.roundTripMs,
    pieces: agreement.pieces,
    end,
    sending: (frame) => {
      heartbeat.sent();
      const open = streams.bytesOf(frame.stream);
      if (open !== undefined) open.sent += frameHeaderBytes + frame.payload.byteLength;
    },
  });
  const heartbeat = new Heartbeat({
    clock,
    timers,
    busy: options.busyPace ?? busyPace,
    idle: role === "server" ? (options.idlePace ?? idleServerPace) : undefined,
    isReading: () => inbox.isReading,
    ping: () => sender.pulse.ping(),
    checked: () => sender.dropUnlessTaking(),
    dead: (silentMs) => end.loseSilent(silentMs),
  });
  const silence = new SilenceProbe({
    clock,
    timers,
    ping: () => sender.pulse.ping(),
    isReading: () => inbox.isReading,
    roundTripMs: () => sender.pulse.roundTripMs,
    sentBytes: () => sender.sentBytes + sender.queuedBytes,
    handedBytes: () => sender.sentBytes,
    sendRate: () => sender.pace.bytesPerSecond,
    isSending: () => sender.queuedBytes > 0 || sender.isBlocked,
    dead: (silentMs) => end.loseSilent(silentMs),
  });
  const receive = (frame: Frame): void => {
    switch (frame.type) {
      case frameTypes.message:
        streams.receiveMessage(frame);
        break;
      case frameTypes.data:
        streams.receiveData(frame);
        break;
      case frameTypes.ping:
        sender.pulse.pinged(frame.payload);
        break;
      case frameTypes.pong:
        sender.pulse.answered(frame.payload);
        break;
      case frameTypes.drain:
        if (role === "client") drain.received(frame.payload);
        break;
      case frameTypes.goodbye:
        end.peerLeaves(frame.payload);
        break;
      default:
      // Of a later version, which must not rely on it.
    }
  };
  const inbox = new Inbox(socket, {
    clock,
    timers,
    // Only a server has peers that it must keep from each other.
    budget: role === "server" ? new MessageBudget(clock) : undefined,
    isOpen: () => end.reason === undefined,
    heard: () => {
      heartbeat.received();
      silence.received();
    },
    receive,
    failed: (error) => end.fail(error),
    resumed: () => heartbeat.received(),
  });
  const streams = new InboundStreams<Incoming>({
    role,
    peer,
    reader: new MessageReader(schemas.incoming, agreement.history),
    inbox,
    end,
    setBusy: (isBusy) => {
      heartbeat.setBusy(isBusy);
      silence.setBusy(isBusy);
    },
  });
  const { rate, pace } = sender;
  const compression = new DataCompression({ role, zstd: agreement.zstd, rate, pace });
  const data = new DataSender({
    maxFrameBytes: agreement.maxOutgoingFrameBytes,
    compression,
    end,
    isStreamOpen: (stream) => streams.has(stream),
    push: (priority, frame, written) => sender.push(priority, frame, written),
    endSent: (stream) => streams.endSent(stream),
  });
  const writer = new MessageWriter(schemas.outgoing, peer, agreement);
  const drain = new DrainNotice();
  end.watch();
  return { end, sender, silence, inbox, streams, writer, compression, data, drain };
}

/** `undefined` where another process carries the connection. */
function carrierOf(role: Role, socket: Duplex, options: ChannelOptions): Socket | undefined {
  const carrier = options.carrier ?? (socket instanceof Socket ? socket : undefined);
  carrier?.setNoDelay(true);
  carrier?.setKeepAlive(true, keepAliveMs[role]);
  carrier?.setTimeout(0);
  return carrier;
}
