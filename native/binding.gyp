{
  "target_defaults": {
    "cflags_cc!": ["-std=gnu++17", "-fno-rtti"],
    "cflags_cc": [
      "-std=c++20", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
      "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fstack-protector-strong",
      # As a system header: the warnings in it are not ours to mend.
      "-isystem", "<!(node -p \"require('path').resolve(require('node-addon-api').include_dir)\")"
    ]
  },
  "targets": [
    {
      "target_name": "netring",
      "sources": [
        "addon/addon.cc",
        "addon/bridge.cc",
        "addon/bridge_answer.cc",
        "addon/capture.cc",
        "addon/capture_config.cc",
        "addon/channel.cc",
        "addon/engine_thread.cc",
        "addon/environment.cc",
        "addon/fd_watch.cc",
        "addon/frame_arguments.cc",
        "addon/injector.cc",
        "addon/interfaces.cc",
        "addon/lease.cc",
        "addon/loop_registration.cc",
        "addon/mapped_buffer.cc",
        "addon/network_namespace.cc",
        "addon/old_glibc.cc",
        "addon/slab_buffer.cc",
        "addon/slab_inbox.cc",
        "addon/watch.cc",
        "addon/xdp_send.cc",
        "addon/xdp_socket.cc",
        "core/batches/batch_queue.cc",
        "core/batches/frame_batch.cc",
        "core/block.cc",
        "core/block_ring.cc",
        "core/bpf.cc",
        "core/bpf_syscall.cc",
        "core/bridge/backlog.cc",
        "core/bridge/bridge.cc",
        "core/bridge/direction.cc",
        "core/bridge/inline_edit.cc",
        "core/bridge/receiver.cc",
        "core/bridge/transmitter.cc",
        "core/capture.cc",
        "core/capture_books.cc",
        "core/channel/channel.cc",
        "core/channel/packet_queue.cc",
        "core/checksum.cc",
        "core/ethtool.cc",
        "core/injector.cc",
        "core/interface_list.cc",
        "core/link.cc",
        "core/netlink.cc",
        "core/packet_socket.cc",
        "core/receive_ring.cc",
        "core/slab_channel.cc",
        "core/slab_pool.cc",
        "core/slot_ring.cc",
        "core/tx_ring.cc",
        "core/xdp/assembler.cc",
        "core/xdp/filter_check.cc",
        "core/xdp/filter_translator.cc",
        "core/xdp/program.cc",
        "core/xdp/queue.cc",
        "core/xdp/queue_receive.cc",
        "core/xdp/queue_send.cc",
        "core/xdp/redirect_program.cc",
        "core/xdp/umem.cc",
        "core/xdp/xdp_socket.cc"
      ],
      # In a worker that is being terminated no exception can be thrown, and without the last one node-addon-api ends the process.
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "conditions": [["OS!='linux'", {"type": "none", "sources=": []}]]
    },
    {
      "target_name": "netring-sandbox",
      "type": "executable",
      "sources": ["core/netlink.cc", "sandbox/isolation.cc", "sandbox/main.cc", "sandbox/wire.cc"],
      "conditions": [["OS!='linux'", {"type": "none", "sources=": []}]]
    }
  ]
}
