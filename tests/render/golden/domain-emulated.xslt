<?xml version="1.0"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output omit-xml-declaration="yes" indent="yes"/>

  <xsl:template match="@*|node()">
    <xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy>
  </xsl:template>

  <xsl:template match="/domain">
    <xsl:copy>
      <xsl:apply-templates select="@*"/>
      <xsl:apply-templates select="node()[not(self::metadata or self::cpu or self::memoryBacking or self::numatune or self::cputune or self::iothreads or self::clock)]"/>
      <metadata>
        <underlay:machine xmlns:underlay="https://underlay.dev/libvirt/1" environment="lab" node="lab-cp-1" cpu-policy="emulated"/>
      </metadata>
      <cpu mode="custom" match="exact" check="none">
        <model fallback="forbid">qemu64</model>
      </cpu>
      <clock offset="utc">
        <timer name="rtc" tickpolicy="catchup"/>
        <timer name="pit" tickpolicy="delay"/>
        <timer name="hpet" present="no"/>
      </clock>
    </xsl:copy>
  </xsl:template>

  <!-- the node has no screen, no sound and no USB -->
  <xsl:template match="/domain/devices/graphics|/domain/devices/video|/domain/devices/sound|/domain/devices/audio|/domain/devices/input"/>
  <xsl:template match="/domain/devices/controller[@type='usb']|/domain/devices/memballoon|/domain/devices/rng"/>
  <xsl:template match="/domain/devices">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()"/>
      <controller type="usb" model="none"/>
      <memballoon model="none"/>
      <rng model="virtio"><backend model="random">/dev/urandom</backend></rng>
    </xsl:copy>
  </xsl:template>

  <!-- the root disk -->
  <xsl:template match="/domain/devices/disk[@device='disk'][1]/driver">
    <xsl:copy>
      <xsl:apply-templates select="@*"/>
      <xsl:attribute name="cache">unsafe</xsl:attribute>
      <xsl:attribute name="io">threads</xsl:attribute>
      <xsl:attribute name="discard">unmap</xsl:attribute>
      <xsl:attribute name="queues">1</xsl:attribute>
    </xsl:copy>
  </xsl:template>

  <!-- what the guest says on its console stays readable after it has gone -->
  <xsl:template match="/domain/devices/console[target/@type='serial']">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()[not(self::log)]"/>
      <log file="/var/log/libvirt/qemu/lab-cp-1-console.log" append="on"/>
    </xsl:copy>
  </xsl:template>

  <!-- the seed: cloud kernels have neither IDE nor SATA -->
  <xsl:template match="/domain/devices/disk[@device='cdrom']">
    <xsl:copy>
      <xsl:apply-templates select="@*"/>
      <xsl:attribute name="device">disk</xsl:attribute>
      <xsl:apply-templates select="node()[not(self::address or self::readonly)]"/>
      <readonly/>
    </xsl:copy>
  </xsl:template>
  <xsl:template match="/domain/devices/disk[@device='cdrom']/target">
    <target dev="vdb" bus="virtio"/>
  </xsl:template>
</xsl:stylesheet>
