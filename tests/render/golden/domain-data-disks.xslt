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
        <underlay:machine xmlns:underlay="https://underlay.dev/libvirt/1" environment="oslo" node="oslo-cp-1" cpu-policy="dedicated"/>
      </metadata>
      <cpu mode="host-passthrough">
        <topology sockets="1" cores="4" threads="1"/>
      </cpu>
      <iothreads>4</iothreads>
      <memoryBacking>
        <hugepages><page size="1048576" unit="KiB"/></hugepages>
        <nosharepages/>
        <locked/>
      </memoryBacking>
      <numatune><memory mode="strict" nodeset="0"/></numatune>
      <cputune>
        <vcpupin vcpu="0" cpuset="4"/>
        <vcpupin vcpu="1" cpuset="5"/>
        <vcpupin vcpu="2" cpuset="6"/>
        <vcpupin vcpu="3" cpuset="7"/>
        <emulatorpin cpuset="0-3"/>
        <iothreadpin iothread="1" cpuset="0-3"/>
        <iothreadpin iothread="2" cpuset="0-3"/>
        <iothreadpin iothread="3" cpuset="0-3"/>
        <iothreadpin iothread="4" cpuset="0-3"/>
      </cputune>
      <clock offset="utc">
        <timer name="rtc" tickpolicy="catchup"/>
        <timer name="pit" tickpolicy="delay"/>
        <timer name="hpet" present="no"/>
        <timer name="kvmclock" present="yes"/>
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
      <disk type="nvme" device="disk">
        <driver name="qemu" type="raw" discard="unmap" queues="4" iothread="3"></driver>
        <source type="pci" managed="yes" namespace="1"><address domain="0x0000" bus="0x41" slot="0x00" function="0x0"/></source>
        <target dev="vdc" bus="virtio"/>
        <serial>underlay-etcd</serial>
      </disk>
    </xsl:copy>
  </xsl:template>

  <!-- the root disk -->
  <xsl:template match="/domain/devices/disk[@device='disk'][1]/driver">
    <xsl:copy>
      <xsl:apply-templates select="@*"/>
      <xsl:attribute name="cache">none</xsl:attribute>
      <xsl:attribute name="io">native</xsl:attribute>
      <xsl:attribute name="discard">unmap</xsl:attribute>
      <xsl:attribute name="queues">4</xsl:attribute>
      <iothreads><iothread id="1"/><iothread id="2"/></iothreads>
    </xsl:copy>
  </xsl:template>

  <!-- underlay-containerd -->
  <xsl:template match="/domain/devices/disk[@device='disk'][2]/driver">
    <xsl:copy>
      <xsl:apply-templates select="@*"/>
      <xsl:attribute name="cache">none</xsl:attribute>
      <xsl:attribute name="io">io_uring</xsl:attribute>
      <xsl:attribute name="discard">unmap</xsl:attribute>
      <xsl:attribute name="queues">1</xsl:attribute>
      <xsl:attribute name="queue_size">512</xsl:attribute>
      <xsl:attribute name="iothread">4</xsl:attribute>
    </xsl:copy>
  </xsl:template>
  <xsl:template match="/domain/devices/disk[@device='disk'][2]/target">
    <target dev="vdd" bus="virtio"/>
    <serial>underlay-containerd</serial>
  </xsl:template>

  <!-- what the guest says on its console stays readable after it has gone -->
  <xsl:template match="/domain/devices/console[target/@type='serial']">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()[not(self::log)]"/>
      <log file="/var/log/libvirt/qemu/oslo-cp-1-console.log" append="on"/>
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

  <xsl:template match="/domain/devices/interface">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()[not(self::driver)]"/>
      <driver name="vhost" queues="4" rx_queue_size="1024"/>
    </xsl:copy>
  </xsl:template>
</xsl:stylesheet>
