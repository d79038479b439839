#include "capture_config.h"

#include "arguments.h"

namespace netring {

bool read_capture_config(const Napi::Object& object, CaptureConfig* config, double* max_buffered_bytes) {
  ConfigReader reader(object);
  double fanout = -1;
  uint32_t group = 0;
  if (!reader.read("interface", &config->interface) || !reader.read("blockSize", &config->block_size) ||
      !reader.read("blockCount", &config->block_count) || !reader.read("frameSize", &config->frame_size) ||
      !reader.read("snapLen", &config->snap_len) || !reader.read("blockTimeoutMs", &config->block_timeout_ms) ||
      !reader.read("immediate", &config->immediate) || !reader.read("fillRxhash", &config->fill_rxhash) ||
      !reader.read("promiscuous", &config->promiscuous) || !reader.read("ignoreOutgoing", &config->ignore_outgoing) ||
      !reader.read("busyPollUs", &config->busy_poll_us, INT32_MAX) || !reader.read("reuseport", &config->reuseport) ||
      !reader.read("rcvbuf", &config->rcvbuf, INT32_MAX) || !reader.read("rcvbufForce", &config->rcvbuf_force) ||
      !reader.read("timestampFlags", &config->timestamp_flags, INT32_MAX) ||
      !reader.read("fanout", &fanout, -1, UINT16_MAX) || !reader.read("fanoutGroup", &group, UINT16_MAX) ||
      !reader.read("maxBufferedBytes", max_buffered_bytes, 0, kMostSafeInteger))
    return false;
  config->fanout = static_cast<int32_t>(fanout);
  config->fanout_group = static_cast<uint16_t>(group);
  // Division by the frame size and walking the blocks rely on these.
  if (config->block_size < 4096 || config->block_count == 0 || config->frame_size == 0 ||
      config->frame_size > config->block_size) {
    Napi::RangeError::New(object.Env(), "ring geometry out of range").ThrowAsJavaScriptException();
    return false;
  }
  return read_program(object.Get("filter"), &config->filter);
}

Napi::Object describe_geometry(Napi::Env env, const Capture& capture) {
  Napi::Array warnings = Napi::Array::New(env);
  for (const std::string& warning : capture.warnings()) warnings.Set(warnings.Length(), warning);
  Napi::Object result = Napi::Object::New(env);
  result.Set("blockSize", capture.ring().block_size());
  result.Set("blockCount", capture.ring().block_count());
  result.Set("frameSize", capture.ring().frame_size());
  result.Set("fanoutGroup", capture.fanout_group());
  result.Set("linkType", static_cast<uint32_t>(capture.link().info().link_type));
  result.Set("warnings", warnings);
  return result;
}

}  // namespace netring
